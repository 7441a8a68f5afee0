import { createHash } from 'node:crypto';
import {
  InfoRequest,
  UpdateRequest,
  WriteAction,
  WriteContentRequest,
  type WriteContentResponse,
} from '../../../proto/gen/containerd/content.ts';
import type { ContainerdClient } from '../containerd/client.ts';
import { isAlreadyExists, isNotFound } from '../containerd/errors.ts';
import type { Descriptor } from './types.ts';

/** Below gRPC's limits, and large enough that the round trip for each does not matter. */
const CHUNK_BYTES = 1024 * 1024;

export interface WriteOptions {
  /** Names the unfinished write, so that a later attempt goes on with it. */
  readonly ref: string;
  readonly lease?: string;
  /** Unknown for a stream that is digested as it passes. */
  readonly expected?: { readonly digest: string; readonly size: number };
  readonly labels?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** Blobs by digest, in containerd's content store. */
export class ContentStore {
  readonly #client: ContainerdClient;

  constructor(components: { client: ContainerdClient }) {
    this.#client = components.client;
  }

  async has(digest: string): Promise<boolean> {
    return (await this.size(digest)) !== undefined;
  }

  /** Undefined when there is no such blob. */
  async size(digest: string): Promise<number | undefined> {
    try {
      const { content } = this.#client;
      const request = InfoRequest.fromPartial({ digest });
      const { info } = await this.#client.call(content, content.info, request);
      return info?.size;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async read(digest: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.stream(digest)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async readJson<T>(digest: string): Promise<T> {
    return JSON.parse((await this.read(digest)).toString('utf8')) as T;
  }

  async *stream(digest: string): AsyncGenerator<Buffer> {
    const { content } = this.#client;
    const request = { digest, offset: 0, size: 0 };
    for await (const { data } of this.#client.stream(content, content.read, request)) {
      yield Buffer.from(data);
    }
  }

  /** Sets `labels` of a blob; an empty value removes the label. */
  async label(digest: string, labels: Record<string, string>): Promise<void> {
    const { content } = this.#client;
    const paths = Object.keys(labels).map((key) => `labels.${key}`);
    const request = UpdateRequest.fromPartial({ info: { digest, labels }, updateMask: paths });
    await this.#client.call(content, content.update, request);
  }

  /** Stores a document that is in memory. */
  async writeBuffer(
    data: Buffer,
    mediaType: string,
    init: { lease?: string; labels?: Record<string, string> } = {},
  ): Promise<Descriptor> {
    const digest = sha256(data);
    const expected = { digest, size: data.length };
    await this.write([data], { ref: `write-${digest}`, expected, ...init });
    return { mediaType, digest, size: data.length };
  }

  /**
   * Stores a stream. When `source` is a function it is asked to begin at the offset where an earlier
   * attempt under the same `ref` ended; anything else is written from the start. containerd checks
   * digest and size when they are expected; else they are computed here. A blob that exists already
   * is no error.
   */
  async write(
    source: Bytes | ((offset: number) => Bytes),
    options: WriteOptions,
  ): Promise<{ digest: string; size: number }> {
    const writer = new Writer(this.#client, options);
    let result = options.expected;
    try {
      let at = await writer.open();
      if (at > 0 && typeof source !== 'function') at = await writer.restart();
      const hash = createHash('sha256');
      for await (const chunk of inChunks(typeof source === 'function' ? source(at) : source)) {
        options.signal?.throwIfAborted();
        if (!options.expected) hash.update(chunk);
        at = await writer.append(chunk, at);
      }
      result ??= { digest: `sha256:${hash.digest('hex')}`, size: at };
      await writer.commit(result.digest, at);
      return result;
    } catch (error) {
      if (!isAlreadyExists(error) || !result) {
        if (!options.expected) await this.#abort(options.ref);
        throw error;
      }
      if (options.labels) await this.label(result.digest, options.labels);
      return result;
    } finally {
      writer.close();
    }
  }

  async #abort(ref: string): Promise<void> {
    const { content } = this.#client;
    await this.#client.call(content, content.abort, { ref }).catch(() => {});
  }
}

type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export function sha256(data: Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** One bidirectional Write call, in lock step: each message is answered before the next. */
class Writer {
  readonly #call;
  readonly #answers;
  readonly #options: WriteOptions;

  constructor(client: ContainerdClient, options: WriteOptions) {
    this.#options = options;
    this.#call = client.content.write(client.metadata(options));
    // An error is thrown by the iterator; without a listener it would end the process as well.
    this.#call.on('error', () => {});
    this.#answers = this.#call[Symbol.asyncIterator]() as AsyncIterator<WriteContentResponse>;
  }

  open(): Promise<number> {
    return this.#send({ action: WriteAction.STAT });
  }

  /** Drops what an earlier attempt stored: a write at offset 0 truncates. */
  async restart(): Promise<number> {
    await this.#send({ action: WriteAction.WRITE, offset: 0 });
    return 0;
  }

  append(data: Buffer, offset: number): Promise<number> {
    return this.#send({ action: WriteAction.WRITE, offset, data });
  }

  commit(digest: string, offset: number): Promise<number> {
    const { labels } = this.#options;
    return this.#send({
      action: WriteAction.COMMIT,
      offset,
      total: offset,
      expected: digest,
      ...(labels ? { labels } : {}),
    });
  }

  close(): void {
    this.#call.end();
    this.#call.cancel();
  }

  async #send(part: Parameters<typeof WriteContentRequest.fromPartial>[0]): Promise<number> {
    const { ref, expected } = this.#options;
    const whole = { ref, total: expected?.size ?? 0, expected: expected?.digest ?? '' };
    this.#call.write(WriteContentRequest.fromPartial({ ...whole, ...part }));
    const answer = await this.#answers.next();
    if (answer.done) throw new Error(`containerd ended the write of ${ref} early`);
    return answer.value.offset;
  }
}

/** What came before a failure is passed on too, for a later attempt to go on from. */
async function* inChunks(source: Bytes): AsyncGenerator<Buffer> {
  let pending: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of source) {
      for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
        const part = piece.subarray(at, at + CHUNK_BYTES);
        pending.push(part);
        size += part.length;
        if (size < CHUNK_BYTES) continue;
        yield Buffer.concat(pending);
        pending = [];
        size = 0;
      }
    }
  } catch (error) {
    if (size > 0) yield Buffer.concat(pending);
    throw error;
  }
  if (size > 0) yield Buffer.concat(pending);
}
