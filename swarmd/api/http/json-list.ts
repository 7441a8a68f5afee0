import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { type Pacing, Slices } from '../../../common/slices.ts';

/** Characters; the list goes out in pieces of at least so many. */
const PIECE = 64 * 1024;

/**
 * Answers with a list of any length: it is converted a slice at a time and sent at the pace of the client,
 * so that nobody waits behind it and it is never in memory whole. `convert` returns undefined for an item
 * that is not to be in the list. What it throws is an ordinary error as long as the list is short;
 * later it can only break the connection off.
 */
export async function sendList<T>(
  reply: FastifyReply,
  pacing: Pacing,
  items: Iterable<T>,
  convert: (item: T) => unknown,
): Promise<FastifyReply> {
  const pieces = jsonPieces(pacing, items, convert);
  const first = await pieces.next();
  const second = await pieces.next();
  if (second.done) return reply.send(first.value);
  return reply.send(Readable.from(following([first.value, second.value], pieces)));
}

async function* jsonPieces<T>(
  pacing: Pacing,
  items: Iterable<T>,
  convert: (item: T) => unknown,
): AsyncGenerator<string, undefined> {
  const slices = new Slices(pacing, 'api: list');
  let text = '[';
  let separator = '';
  for (const item of items) {
    const converted = convert(item);
    if (converted !== undefined) {
      text += `${separator}${JSON.stringify(converted)}`;
      separator = ',';
    }
    if (text.length >= PIECE) {
      yield text;
      text = '';
    }
    if (slices.isUsedUp) await slices.next();
  }
  yield `${text}]`;
}

async function* following<T>(
  first: readonly (T | undefined)[],
  rest: AsyncIterable<T>,
): AsyncGenerator<T | undefined> {
  yield* first;
  yield* rest;
}
