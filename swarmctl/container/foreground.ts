import type { Context } from '../context.ts';
import { containerPath } from './paths.ts';
import { followSize, proxySignals, runSession, type SessionInit } from './session.ts';
import type { Waiting } from './wait.ts';

export const READ_ESCAPE = 'read escape sequence';

export interface ForegroundInit extends SessionInit {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** What the log has comes first. */
  readonly logs?: boolean;
  readonly sigProxy: boolean;
  /** Begins to wait for the container's end. */
  readonly wait: () => Promise<Waiting>;
  /** Called once the streams are joined: nothing that the container says is lost. */
  readonly start?: () => Promise<unknown>;
}

/** Attaches to a container, starts it, and stays until it ends. The exit code of its command. */
export async function stayWith(
  context: Context,
  container: string,
  init: ForegroundInit,
): Promise<number> {
  const connection = await context.api.hijack(containerPath(container, 'attach'), {
    query: {
      stream: 1,
      stdin: init.stdin ? 1 : undefined,
      stdout: init.stdout ? 1 : undefined,
      stderr: init.stderr ? 1 : undefined,
      logs: init.logs ? 1 : undefined,
      detachKeys: init.detachKeys,
    },
  });
  const waiting = await init.wait();
  const session = runSession(context, connection, init);
  session.catch(() => {}); // Seen below, unless the start fails first.
  const stops: (() => void)[] = [];
  try {
    await init.start?.();
    stops.push(...accompany(context, container, init));
    if ((await session) === 'ended') return await waiting.exitCode;
    context.err.write(`${READ_ESCAPE}\n`);
    return 0;
  } finally {
    for (const stop of stops) stop();
    waiting.cancel();
    connection.destroy();
    await session.catch(() => {});
  }
}

function accompany(context: Context, container: string, init: ForegroundInit): (() => void)[] {
  const resize = (query: { h: number; w: number }) =>
    context.api.post(containerPath(container, 'resize'), { query });
  const kill = (signal: string) =>
    context.api.post(containerPath(container, 'kill'), { query: { signal } });
  return [
    ...(init.tty ? [followSize(context, resize, { redraw: !init.start })] : []),
    ...(init.sigProxy && !init.tty ? [proxySignals(context, kill)] : []),
  ];
}
