import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { type Frame, FrameParser } from './frames.ts';

/**
 * Prints a container's output until it ends: as it comes from a terminal, else taken apart into
 * standard output and standard error.
 */
export async function copyOutput(context: Context, source: Readable, tty: boolean): Promise<void> {
  if (tty) {
    for await (const chunk of source) await write(context.out, chunk);
    return;
  }
  for await (const { stream, data } of frames(source)) {
    if (stream === 'error') throw new CliError(`Error from daemon in stream: ${data}`);
    await write(stream === 'stderr' ? context.err : context.out, data);
  }
}

export async function* frames(source: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  const parser = new FrameParser();
  for await (const chunk of source) yield* parser.push(chunk);
}

export async function write(to: NodeJS.WritableStream, data: Buffer): Promise<void> {
  if (!to.write(data)) await once(to, 'drain');
}
