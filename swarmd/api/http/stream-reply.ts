import { pipeline } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';
import { errorMessage } from '../../../common/errors.ts';
import { httpErrorOf } from './errors.ts';
import { endingInError } from './multiplex.ts';

export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';
export const TAR = 'application/x-tar';

/** Aborted when the client goes away before its answer is complete. */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const onClose = () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the client closed the connection'));
  };
  if (reply.raw.destroyed) onClose();
  else reply.raw.once('close', onClose);
  return gone.signal;
}

/** Sends the status and headers now, before there is any body. */
export function openStream(reply: FastifyReply, contentType: string): void {
  if (reply.sent) return;
  for (const [key, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(key, value);
  }
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': contentType });
  reply.raw.flushHeaders();
}

/**
 * Streams a body at the pace of the client. A source that fails half-way breaks the connection off,
 * since the status is already sent; a client that leaves stops the source.
 */
export async function streamReply(
  reply: FastifyReply,
  contentType: string,
  source: AsyncIterable<Uint8Array | string>,
): Promise<void> {
  openStream(reply, contentType);
  try {
    await pipeline(source, reply.raw);
  } catch (error) {
    reply.log.debug({ err: error }, 'a streamed answer ended early');
    reply.raw.destroy();
  }
}

/** Streams a log: as it is from a terminal, else in frames, a failure in the last of them. */
export function logReply(
  reply: FastifyReply,
  tty: boolean,
  source: AsyncIterable<Buffer>,
): Promise<void> {
  if (tty) return streamReply(reply, RAW_STREAM, source);
  return streamReply(reply, MULTIPLEXED_STREAM, endingInError(source));
}

/**
 * JSON lines for as long as `run` works. A failure before the first line is an ordinary error; later
 * it is a last line with `errorDetail`, as Docker's clients expect it.
 */
export async function progressReply(
  reply: FastifyReply,
  run: (emit: (line: object) => void) => Promise<void>,
): Promise<void> {
  const emit = (line: object) => {
    openStream(reply, 'application/json');
    reply.raw.write(`${JSON.stringify(line)}\r\n`);
  };
  try {
    await run(emit);
  } catch (error) {
    if (!reply.sent) throw error;
    const { message } = httpErrorOf(error);
    reply.log.debug(`a long operation failed: ${errorMessage(error)}`);
    emit({ errorDetail: { message }, error: message });
  }
  openStream(reply, 'application/json');
  reply.raw.end();
}
