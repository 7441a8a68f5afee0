import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { ApiError } from '../client.ts';
import { EXIT_NOT_RUN, startExitCode } from '../container/create.ts';
import { DETACH_KEYS } from '../container/flags.ts';
import { READ_ESCAPE } from '../container/foreground.ts';
import { containerPath } from '../container/paths.ts';
import {
  followSize,
  requireTerminal,
  runSession,
  type TerminalSize,
} from '../container/session.ts';
import { type Context, describeError } from '../context.ts';
import { environment } from '../options/environment.ts';
import { collect } from '../options/parse.ts';

interface ExecFlags {
  detach?: boolean;
  detachKeys?: string;
  env: string[];
  envFile: string[];
  interactive?: boolean;
  privileged?: boolean;
  tty?: boolean;
  user?: string;
  workdir?: string;
}

/** A new process has its terminal a moment after its start: until then resizing fails. */
const RESIZE_ATTEMPTS = 10;
const RESIZE_PAUSE_MS = 20;

export function addExecCommand(parent: Command, context: Context): void {
  parent
    .command('exec')
    .description('Run a command in a running container')
    .argument('<container>')
    .argument('<command...>')
    .passThroughOptions()
    .option('-d, --detach', 'run in the background')
    .option(...DETACH_KEYS)
    .option('-e, --env <key=value>', 'environment; KEY alone takes yours', collect, [])
    .option('--env-file <file>', 'file of environment variables', collect, [])
    .option('-i, --interactive', 'keep standard input open')
    .option('--privileged', 'all capabilities')
    .option('-t, --tty', 'a pseudo terminal')
    .option('-u, --user <name|uid[:group|gid]>', 'who runs it')
    .option('-w, --workdir <path>', 'working directory')
    .action((container: string, command: string[], flags: ExecFlags) =>
      exec(context, container, command, flags),
    );
}

async function exec(
  context: Context,
  container: string,
  command: readonly string[],
  flags: ExecFlags,
): Promise<void> {
  const tty = flags.tty ?? false;
  const stdin = !flags.detach && (flags.interactive ?? false);
  requireTerminal(context, { tty, stdin });
  const { Id } = await context.api.post<{ Id: string }>(containerPath(container, 'exec'), {
    body: {
      Cmd: command,
      AttachStdin: stdin,
      AttachStdout: !flags.detach,
      AttachStderr: !flags.detach,
      Tty: tty,
      Detach: flags.detach ?? false,
      DetachKeys: flags.detachKeys ?? '',
      Env: environment(flags.envFile, flags.env, context.env),
      Privileged: flags.privileged ?? false,
      User: flags.user ?? '',
      WorkingDir: flags.workdir ?? '',
    },
  });
  if (flags.detach) {
    const body = { Detach: true, Tty: tty };
    await context.api.post(`/exec/${Id}/start`, { body }).catch(notStarted);
    return;
  }
  await join(context, Id, { tty, stdin, detachKeys: flags.detachKeys });
}

async function join(
  context: Context,
  id: string,
  session: { tty: boolean; stdin: boolean; detachKeys: string | undefined },
): Promise<void> {
  const body = { Detach: false, Tty: session.tty };
  const connection = await context.api.hijack(`/exec/${id}/start`, { body }).catch(notStarted);
  const resize = (query: TerminalSize) => patiently(() => resizeExec(context, id, query));
  const stopResizing = session.tty ? followSize(context, resize) : () => {};
  try {
    if ((await runSession(context, connection, session)) === 'detached') {
      context.err.write(`${READ_ESCAPE}\n`);
      return;
    }
  } finally {
    stopResizing();
  }
  const { ExitCode } = await context.api.get<{ ExitCode: number | null }>(`/exec/${id}/json`);
  context.exit.code = ExitCode ?? 0;
}

function resizeExec(context: Context, id: string, query: TerminalSize): Promise<unknown> {
  return context.api.post(`/exec/${id}/resize`, { query: { ...query } });
}

async function patiently(action: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await action();
      return;
    } catch (error) {
      if (attempt === RESIZE_ATTEMPTS || !(error instanceof ApiError)) throw error;
      await delay(RESIZE_PAUSE_MS * attempt);
    }
  }
}

/** 126 or 127 where the command is at fault, as a shell says it. */
function notStarted(error: unknown): never {
  const code = startExitCode(error);
  throw new CliError(describeError(error), code === EXIT_NOT_RUN ? 1 : code);
}
