import type { Entry, HardState } from 'raft-ts';
import { isDiskTrouble } from '../../common/damage.ts';
import { errorMessage, isSwarmError, SwarmError } from '../../common/errors.ts';
import { encodePack } from './entry-pack.ts';
import { type LogDb, type LogOp, levelLogDb, type OpenLogDb } from './log-db.ts';
import { loadLog, type PackSpan, unseal } from './log-load.ts';
import {
  chunkKey,
  damagedLog,
  HARD_STATE_KEY,
  IDENTITY_KEY,
  type LogIdentity,
  MANIFEST_KEY,
  packKey,
  SNAPSHOTS,
  type SnapshotManifest,
  type StoredLog,
  snapshotIdOf,
  toJson,
} from './log-records.ts';
import type { Vault } from './vault.ts';

export interface LogDiskComponents {
  readonly vault: Vault;
  /** LevelDB by default. */
  readonly openLogDb?: OpenLogDb | undefined;
}

export interface LogDiskInit {
  readonly dir: string;
}

/** One atomic change of the log. */
export interface LogWrite {
  readonly identity?: LogIdentity;
  readonly hardState?: HardState;
  /** Consecutive; what the log holds from the first one's index on is void. */
  readonly entries?: readonly Entry[];
  /** The term of the entry before the first of `entries`. */
  readonly prevTerm?: number;
  /** Its chunks are on disk. With `resetLog` all entries so far are void. */
  readonly snapshot?: SnapshotManifest;
  readonly resetLog?: boolean;
  /** False: may be lost in a power failure, together with all later writes. */
  readonly sync: boolean;
}

const RESEAL_BATCH = 64;

/**
 * The durable log: a `level` database in which each value is sealed.
 *
 * Invariants: one call of `write` is one atomic batch. `write` is not called concurrently, and not
 * after a call that failed. A pack is deleted in the batch that overwrites its first entry, so reading
 * the packs in key order, each replacing what came before it from its own first index on, gives the log
 * as it was last written.
 */
export class LogDisk {
  readonly dir: string;
  readonly #vault: Vault;
  readonly #db: LogDb;
  /** Of the packs on disk, in order; a superseded part does not count. */
  #packs: PackSpan[] = [];
  #hardState: HardState | undefined;
  /** Writes of `putChunk` that have not ended yet; none of these promises rejects. */
  readonly #chunksUnderWay = new Set<Promise<void>>();

  constructor(components: LogDiskComponents, init: LogDiskInit) {
    this.dir = init.dir;
    this.#vault = components.vault;
    this.#db = (components.openLogDb ?? levelLogDb)(init.dir);
  }

  /**
   * What the log holds; undefined when it was never written. Chunks of unfinished snapshots are
   * removed. LevelDB itself drops a batch that was cut short by a crash.
   */
  async open(): Promise<StoredLog | undefined> {
    await this.#db.open().catch((error) => {
      throw openError(this.dir, error);
    });
    try {
      const loaded = await loadLog(this.#db, this.#vault, this.dir);
      this.#packs = loaded?.packs ?? [];
      this.#hardState = loaded?.log.hardState;
      await this.dropSnapshotsExcept([loaded?.log.snapshot?.id ?? '']);
      return loaded?.log;
    } catch (error) {
      await this.#db.close();
      throw isSwarmError(error) ? error : openError(this.dir, error);
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  async write(write: LogWrite): Promise<void> {
    const ops: LogOp[] = [];
    if (write.identity) ops.push(this.#put(IDENTITY_KEY, toJson(write.identity)));
    this.#hardState = write.hardState ?? this.#hardState;
    // With every synced write: one that LevelDB lost, in the midst of others, then takes no vote along.
    const hardState = write.sync ? this.#hardState : write.hardState;
    if (hardState) ops.push(this.#put(HARD_STATE_KEY, toJson(hardState)));
    if (write.snapshot) ops.push(this.#put(MANIFEST_KEY, toJson(write.snapshot)));
    if (write.resetLog) {
      for (const pack of this.#packs) ops.push(del(pack.first));
      this.#packs = [];
    }
    if (write.entries?.length) this.#pushPack(ops, write.entries, write.prevTerm ?? 0);
    await this.#db.batch(ops, { sync: write.sync });
  }

  /** Frees the values that hold nothing above `index`. */
  async compact(index: number): Promise<void> {
    const keep = this.#packs.findIndex((pack) => pack.last > index);
    const dropped = keep < 0 ? this.#packs : this.#packs.slice(0, keep);
    if (dropped.length === 0) return;
    this.#packs = this.#packs.slice(dropped.length);
    await this.#db.batch(
      dropped.map((pack) => del(pack.first)),
      { sync: false },
    );
  }

  /**
   * Synced by itself: LevelDB syncs one file, and by the time of the `write` that names the snapshot
   * it may have begun another. Nobody looks for the chunk before that.
   */
  putChunk(snapshotId: string, n: number, data: Uint8Array): Promise<void> {
    const key = chunkKey(snapshotId, n);
    const written = this.#db.put(key, this.#vault.seal(key, data), { sync: true });
    const settled = written.catch(() => undefined);
    this.#chunksUnderWay.add(settled);
    settled.then(() => this.#chunksUnderWay.delete(settled));
    return written;
  }

  async getChunk(snapshotId: string, n: number): Promise<Buffer> {
    const key = chunkKey(snapshotId, n);
    const sealed = await this.#db.get(key).catch((error) => {
      throw openError(this.dir, error);
    });
    if (sealed === undefined) throw damagedLog(this.dir, `the value under "${key}" is missing.`);
    return unseal(this.#vault, this.dir, key, sealed);
  }

  async dropSnapshotsExcept(ids: readonly string[]): Promise<void> {
    const keys = await this.#db.keys(SNAPSHOTS);
    const stale = keys.filter((key) => key !== MANIFEST_KEY && !ids.includes(snapshotIdOf(key)));
    for (let i = 0; i < stale.length; i += RESEAL_BATCH) {
      const part = stale.slice(i, i + RESEAL_BATCH);
      await this.#db.batch(
        part.map((key) => ({ type: 'del', key }) as const),
        { sync: false },
      );
    }
  }

  /**
   * Seals with the current key all that was sealed with another, and has LevelDB drop the old values,
   * after which older keys may be forgotten. Not to run concurrently with `write`. It waits for chunks
   * that are being written, since those were sealed with an old key if they came before the new one.
   */
  async reseal(): Promise<void> {
    await Promise.all(this.#chunksUnderWay);
    while ((await this.#resealOnce()) > 0);
    await this.#db.compact();
  }

  async #resealOnce(): Promise<number> {
    let resealed = 0;
    for (const key of await this.#db.keys()) {
      const sealed = await this.#db.get(key);
      if (sealed === undefined || this.#vault.isCurrent(sealed)) continue;
      const plain = unseal(this.#vault, this.dir, key, sealed);
      await this.#db.put(key, this.#vault.seal(key, plain), { sync: false });
      resealed++;
    }
    return resealed;
  }

  #pushPack(ops: LogOp[], entries: readonly Entry[], prevTerm: number): void {
    const packs = this.#packs;
    const first = entries[0]!.index;
    while (packs.length > 0 && packs.at(-1)!.first >= first) {
      const superseded = packs.pop()!;
      if (superseded.first > first) ops.push(del(superseded.first));
    }
    const previous = packs.at(-1);
    if (previous)
      packs[packs.length - 1] = { ...previous, last: Math.min(previous.last, first - 1) };
    ops.push(this.#put(packKey(first), encodePack({ prevTerm, entries })));
    packs.push({ first, last: entries.at(-1)!.index });
  }

  #put(key: string, plain: Uint8Array): LogOp {
    return { type: 'put', key, value: this.#vault.seal(key, plain) };
  }
}

function del(firstIndex: number): LogOp {
  return { type: 'del', key: packKey(firstIndex) };
}

/** What LevelDB says of its files. */
function openError(dir: string, error: unknown): SwarmError {
  const cause = (error as { cause?: { code?: string } }).cause;
  if (cause?.code === 'LEVEL_LOCKED') {
    return new SwarmError('SWM_CONFLICT', `Another process has the Raft log ${dir} open.`, {
      hint: 'Stop the other manager that uses this state directory.',
      cause: error,
    });
  }
  const message = errorMessage(cause ?? error);
  if (isDiskTrouble(message)) {
    return new SwarmError('SWM_UNAVAILABLE', `The Raft log cannot be opened: ${message}`, {
      hint: `Make room on the disk that holds ${dir}.`,
      cause: error,
    });
  }
  return damagedLog(dir, `${message}.`, error);
}
