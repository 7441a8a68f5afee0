import { type Clock, sleep } from '../../../common/clock.ts';
import { isSwarmError } from '../../../common/errors.ts';
import type { Logger } from '../../../common/logger.ts';
import type { ContentStore } from './content.ts';
import type { LayerProgress } from './pull-progress.ts';
import type { Repository } from './registry.ts';
import type { Descriptor } from './types.ts';

const ATTEMPTS = 5;
const RETRY_STEP_MS = 1000;

export interface BlobFetcherComponents {
  readonly content: ContentStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface FetchInit {
  readonly repository: Repository;
  readonly lease: string;
  readonly line?: LayerProgress;
  readonly signal?: AbortSignal;
}

/** Downloads blobs into the content store, each once at a time, going on where it broke off. */
export class BlobFetcher {
  readonly #parts: BlobFetcherComponents;
  readonly #active = new Map<string, Promise<unknown>>();

  constructor(components: BlobFetcherComponents) {
    this.#parts = components;
  }

  async fetch(blob: Descriptor, init: FetchInit): Promise<void> {
    for (;;) {
      const running = this.#active.get(blob.digest);
      if (!running) break;
      // Whatever became of it: the write below finds the blob, or does it again.
      await running.catch(() => {});
      init.signal?.throwIfAborted();
    }
    const work = this.#withRetries(blob, init).finally(() => this.#active.delete(blob.digest));
    this.#active.set(blob.digest, work);
    await work;
  }

  async #withRetries(blob: Descriptor, init: FetchInit): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(blob, init);
      } catch (error) {
        const final = isSwarmError(error, 'SWM_NOT_FOUND', 'SWM_UNAUTHENTICATED');
        if (final || init.signal?.aborted || attempt === ATTEMPTS) throw error;
        const delay = attempt * RETRY_STEP_MS;
        this.#parts.logger.info({ err: error, digest: blob.digest, delay }, 'a download broke off');
        init.line?.status(`Retrying in ${delay / 1000} seconds`);
        await sleep(this.#parts.clock, delay, init.signal);
      }
    }
  }

  async #once(blob: Descriptor, init: FetchInit): Promise<void> {
    const { digest, size } = blob;
    const source = (offset: number) =>
      counted(init.repository.blob(digest, offset), offset, init.line);
    await this.#parts.content.write(source, {
      ref: `layer-${digest}`,
      lease: init.lease,
      expected: { digest, size },
      ...(init.signal ? { signal: init.signal } : {}),
    });
  }
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  offset: number,
  progress: LayerProgress | undefined,
): AsyncGenerator<Uint8Array> {
  let current = offset;
  for await (const chunk of source) {
    current += chunk.length;
    progress?.downloading(current);
    yield chunk;
  }
}
