import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { createContainer, EXIT_NOT_RUN, notRun, startExitCode } from '../container/create.ts';
import {
  addCreateFlags,
  addRunFlags,
  type CreateFlags,
  type RunFlags,
} from '../container/flags.ts';
import { stayWith } from '../container/foreground.ts';
import { containerPath } from '../container/paths.ts';
import { requireTerminal } from '../container/session.ts';
import { startWaiting } from '../container/wait.ts';
import { type Context, print } from '../context.ts';

/** `run` and `create`. Options end at the image: what follows is the container's. */
export function addRunCommands(parent: Command, context: Context): void {
  const run = parent
    .command('run')
    .description('Create and run a new container')
    .argument('<image>')
    .argument('[command...]', 'command and arguments, instead of the image’s')
    .passThroughOptions();
  addRunFlags(run).action((image: string, command: string[], flags: RunFlags) =>
    runContainer(context, image, command, flags),
  );
  const create = parent
    .command('create')
    .description('Create a new container')
    .argument('<image>')
    .argument('[command...]', 'command and arguments, instead of the image’s')
    .passThroughOptions();
  addCreateFlags(create).action((image: string, command: string[], flags: CreateFlags) =>
    createOnly(context, image, command, flags),
  );
}

async function createOnly(
  context: Context,
  image: string,
  command: readonly string[],
  flags: CreateFlags,
): Promise<void> {
  const attach = attachedStreams(flags);
  try {
    print(context, await createContainer(context, { image, command, flags, attach }));
  } catch (error) {
    throw notRun(error, 1);
  }
}

async function runContainer(
  context: Context,
  image: string,
  command: readonly string[],
  flags: RunFlags,
): Promise<void> {
  const attach = flags.detach ? new Set<string>() : attachedStreams(flags);
  if (flags.detach && flags.attach.length > 0) {
    throw new CliError('conflicting options: --attach and --detach', EXIT_NOT_RUN);
  }
  const session = { tty: flags.tty ?? false, stdin: attach.has('stdin') };
  if (!flags.detach) requireTerminal(context, session);
  const id = await createContainer(context, { image, command, flags, attach }).catch((error) => {
    throw notRun(error);
  });
  const start = () =>
    context.api.post(containerPath(id, 'start')).catch(async (error) => {
      // What never ran would only be in the way of the next try with the same name.
      await context.api.delete(containerPath(id), { force: 1 }).catch(() => undefined);
      throw notRun(error, startExitCode(error));
    });
  if (flags.detach || attach.size === 0) {
    await start();
    print(context, id);
    return;
  }
  context.exit.code = await stayWith(context, id, {
    ...session,
    stdout: attach.has('stdout'),
    stderr: attach.has('stderr'),
    detachKeys: flags.detachKeys,
    sigProxy: flags.sigProxy,
    wait: () => startWaiting(context, id, flags.rm ? 'removed' : 'next-exit'),
    start,
  });
}

/** Standard output and error, and with --interactive the input, unless others are named. */
function attachedStreams({ attach, interactive }: CreateFlags): ReadonlySet<string> {
  if (attach.length > 0) return new Set(attach);
  return new Set(['stdout', 'stderr', ...(interactive ? ['stdin'] : [])]);
}
