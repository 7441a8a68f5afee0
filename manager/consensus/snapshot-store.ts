import type { Random } from '../../common/random.ts';
import type { Pacing } from '../../common/slices.ts';
import type { LogDisk } from './log-disk.ts';
import type { SnapshotManifest } from './log-records.ts';
import { frame, unframe } from './piece-stream.ts';

export interface SnapshotStoreComponents extends Pacing {
  readonly random: Random;
  readonly disk: LogDisk;
}

export interface SnapshotStoreInit {
  /** Bytes per stored value, which is also a message when a snapshot is sent. */
  readonly chunkBytes?: number;
}

/** A snapshot that is kept on disk while someone reads or writes it. */
export interface HeldSnapshot {
  readonly id: string;
  release(): void;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * The data of snapshots, as chunks on disk. A snapshot's chunks stay as long as it is the log's
 * current one or somebody holds it; `collect` removes the others.
 */
export class SnapshotStore {
  readonly #pacing: Pacing;
  readonly #random: Random;
  readonly #disk: LogDisk;
  readonly #chunkBytes: number;
  readonly #held = new Map<string, number>();

  constructor(components: SnapshotStoreComponents, init: SnapshotStoreInit = {}) {
    this.#pacing = { clock: components.clock, yieldTurn: components.yieldTurn };
    this.#random = components.random;
    this.#disk = components.disk;
    this.#chunkBytes = init.chunkBytes ?? CHUNK_BYTES;
  }

  hold(id: string): HeldSnapshot {
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      const others = this.#held.get(id)! - 1;
      if (others > 0) this.#held.set(id, others);
      else this.#held.delete(id);
    };
    return { id, release };
  }

  /** A new snapshot's name, held by the caller until a manifest names it. */
  holdNew(): HeldSnapshot {
    return this.hold(Buffer.from(this.#random.bytes(8)).toString('hex'));
  }

  /** Stores what `pieces` yields. The chunks become durable with the manifest that counts them. */
  async write(
    id: string,
    pieces: AsyncIterable<Uint8Array>,
  ): Promise<{ chunks: number; bytes: number }> {
    let chunks = 0;
    let bytes = 0;
    const options = { ...this.#pacing, chunkBytes: this.#chunkBytes };
    for await (const chunk of frame(pieces, options)) {
      await this.#disk.putChunk(id, chunks++, chunk);
      bytes += chunk.length;
    }
    return { chunks, bytes };
  }

  writeChunk(id: string, n: number, chunk: Uint8Array): Promise<void> {
    return this.#disk.putChunk(id, n, chunk);
  }

  async *chunks(manifest: SnapshotManifest): AsyncGenerator<Buffer> {
    for (let n = 0; n < manifest.chunks; n++) yield await this.#disk.getChunk(manifest.id, n);
  }

  /** The pieces as the state machine gave them. */
  pieces(manifest: SnapshotManifest): AsyncGenerator<Uint8Array> {
    return unframe(this.chunks(manifest));
  }

  collect(current: string): Promise<void> {
    return this.#disk.dropSnapshotsExcept([current, ...this.#held.keys()]);
  }
}
