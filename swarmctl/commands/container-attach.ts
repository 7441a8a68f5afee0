import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { notRun, startExitCode } from '../container/create.ts';
import { addSigProxy, DETACH_KEYS } from '../container/flags.ts';
import { stayWith } from '../container/foreground.ts';
import { type ContainerDetail, inspectContainer } from '../container/inspect.ts';
import { containerPath } from '../container/paths.ts';
import { requireTerminal } from '../container/session.ts';
import { startWaiting } from '../container/wait.ts';
import { type Context, forEachName, print } from '../context.ts';

interface AttachFlags {
  detachKeys?: string;
  sigProxy: boolean;
  /** `false` with --no-stdin. */
  stdin: boolean;
}

interface StartFlags {
  attach?: boolean;
  detachKeys?: string;
  interactive?: boolean;
}

export function addAttachCommands(parent: Command, context: Context): void {
  const attachCommand = parent
    .command('attach')
    .description('Join the input and output of a running container')
    .argument('<container>')
    .option(...DETACH_KEYS)
    .option('--no-stdin', 'only its output');
  addSigProxy(attachCommand).action((name: string, flags: AttachFlags) =>
    attach(context, name, flags),
  );
  parent
    .command('start')
    .description('Start stopped containers')
    .argument('<container...>')
    .option('-a, --attach', 'join its output, and pass signals on')
    .option(...DETACH_KEYS)
    .option('-i, --interactive', 'join its input')
    .action((names: string[], flags: StartFlags) => start(context, names, flags));
}

async function attach(context: Context, name: string, flags: AttachFlags): Promise<void> {
  const container = await inspectContainer(context, name);
  requireRunning(container);
  const { Tty: tty, OpenStdin } = container.Config;
  const session = { tty, stdin: flags.stdin && OpenStdin };
  requireTerminal(context, session);
  context.exit.code = await stayWith(context, name, {
    ...session,
    stdout: true,
    stderr: true,
    detachKeys: flags.detachKeys,
    sigProxy: flags.sigProxy,
    wait: () => startWaiting(context, container.Id, 'not-running'),
  });
}

function requireRunning({ State }: ContainerDetail): void {
  if (!State.Running) {
    throw new CliError('cannot attach to a stopped container, start it first');
  }
  if (State.Paused) throw new CliError('cannot attach to a paused container, unpause it first');
  if (State.Restarting) {
    throw new CliError('cannot attach to a restarting container, wait until it is running');
  }
}

async function start(context: Context, names: readonly string[], flags: StartFlags): Promise<void> {
  if (flags.attach || flags.interactive) {
    if (names.length > 1) {
      throw new CliError('you cannot start and attach multiple containers at once');
    }
    return startAttached(context, names[0] as string, flags);
  }
  await forEachName(context, names, async (name) => {
    await context.api.post(containerPath(name, 'start'));
    print(context, name);
  });
}

async function startAttached(context: Context, name: string, flags: StartFlags): Promise<void> {
  const { Id, Config, HostConfig, State } = await inspectContainer(context, name);
  const session = { tty: Config.Tty, stdin: Boolean(flags.interactive && Config.OpenStdin) };
  requireTerminal(context, session);
  const ends = State.Running ? 'not-running' : 'next-exit';
  context.exit.code = await stayWith(context, Id, {
    ...session,
    stdout: true,
    stderr: true,
    detachKeys: flags.detachKeys,
    sigProxy: true,
    wait: () => startWaiting(context, Id, HostConfig.AutoRemove ? 'removed' : ends),
    start: () =>
      context.api.post(containerPath(Id, 'start')).catch((error) => {
        throw notRun(error, startExitCode(error));
      }),
  });
}
