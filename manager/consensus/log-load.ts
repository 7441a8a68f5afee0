import type { Entry, HardState } from 'raft-ts';
import { errorMessage, isSwarmError } from '../../common/errors.ts';
import { decodePack } from './entry-pack.ts';
import type { LogDb } from './log-db.ts';
import {
  damagedLog,
  fromJson,
  HARD_STATE_KEY,
  IDENTITY_KEY,
  type LogIdentity,
  MANIFEST_KEY,
  PACKS,
  packKey,
  type SnapshotManifest,
  type StoredLog,
} from './log-records.ts';
import type { Vault } from './vault.ts';

/** The entries that one stored value adds to the log. */
export interface PackSpan {
  readonly first: number;
  readonly last: number;
}

export interface LoadedLog {
  readonly log: StoredLog;
  readonly packs: PackSpan[];
}

/** Reads and checks the whole log. Throws a SwarmError that names what is wrong and where. */
export async function loadLog(
  db: LogDb,
  vault: Vault,
  dir: string,
): Promise<LoadedLog | undefined> {
  const get = async <T>(key: string): Promise<T | undefined> => {
    const sealed = await db.get(key);
    return sealed && fromJson<T>(unseal(vault, dir, key, sealed));
  };
  const identity = await get<LogIdentity>(IDENTITY_KEY);
  const hardState = await get<HardState>(HARD_STATE_KEY);
  const snapshot = await get<SnapshotManifest>(MANIFEST_KEY);
  const tail = new TailReader(dir, snapshot?.index ?? 0);
  for await (const [key, sealed] of db.entries(PACKS)) {
    tail.add(key, unseal(vault, dir, key, sealed));
  }
  const { entries, prevTerm, packs } = tail;
  if (!identity) {
    if (entries.length > 0 || hardState) throw damagedLog(dir, 'the value "meta" is missing.');
    return undefined;
  }
  if (!hardState) throw damagedLog(dir, 'the value "hard" is missing.');
  checkStoredLog({ identity, hardState, snapshot, entries, prevTerm }, dir);
  // The commit index is written now and then only, and a snapshot is of committed entries.
  const commit = Math.max(hardState.commit, snapshot?.index ?? 0);
  const log = { identity, hardState: { ...hardState, commit }, snapshot, entries, prevTerm };
  return { log, packs };
}

/** Joins packs in key order into one log. */
class TailReader {
  readonly entries: Entry[] = [];
  readonly packs: PackSpan[] = [];
  prevTerm = 0;
  readonly #dir: string;
  readonly #snapshotIndex: number;

  constructor(dir: string, snapshotIndex: number) {
    this.#dir = dir;
    this.#snapshotIndex = snapshotIndex;
  }

  add(key: string, plain: Buffer): void {
    const pack = this.#decode(key, plain);
    const first = pack.entries[0]!.index;
    if (packKey(first) !== key) throw damagedLog(this.#dir, `"${key}" holds entry ${first}.`);
    if (this.entries.length > 0 && this.#isLeftover(first)) this.entries.length = 0;
    if (this.entries.length === 0) this.prevTerm = pack.prevTerm;
    else this.#cutAt(key, first, pack.prevTerm);
    for (const entry of pack.entries) this.entries.push(entry);
    this.packs.push({ first, last: pack.entries.at(-1)!.index });
  }

  /**
   * Power may fail between two removals of what a snapshot covers, and take the earlier one with it
   * alone: what is left then ends before a gap, and nobody needs it.
   */
  #isLeftover(first: number): boolean {
    const expected = this.entries[0]!.index + this.entries.length;
    return first > expected && first <= this.#snapshotIndex + 1;
  }

  /** A pack replaces whatever was written before from its first index on. */
  #cutAt(key: string, first: number, prevTerm: number): void {
    const start = this.entries[0]!.index;
    const expected = start + this.entries.length;
    if (first > expected) {
      throw damagedLog(
        this.#dir,
        `entries ${expected} to ${first - 1} before "${key}" are missing.`,
      );
    }
    this.entries.length = first - start;
    const before = this.entries.at(-1)!;
    if (before.term !== prevTerm) {
      const found = `entry ${before.index} has term ${before.term}`;
      throw damagedLog(
        this.#dir,
        `${found}, but "${key}" was written after one of term ${prevTerm}.`,
      );
    }
    const last = this.packs.pop()!;
    this.packs.push({ first: last.first, last: Math.min(last.last, first - 1) });
  }

  #decode(key: string, plain: Buffer) {
    try {
      return decodePack(plain);
    } catch (error) {
      throw damagedLog(this.#dir, `"${key}": ${errorMessage(error)}`, error);
    }
  }
}

/** The parts must fit together; a part that was lost shows here. */
function checkStoredLog(log: StoredLog, dir: string): void {
  const snapshotIndex = log.snapshot?.index ?? 0;
  const first = log.entries[0]?.index ?? snapshotIndex + 1;
  const last = log.entries.at(-1)?.index ?? snapshotIndex;
  if (first > snapshotIndex + 1) {
    throw damagedLog(dir, `entries ${snapshotIndex + 1} to ${first - 1} are missing.`);
  }
  if (last < snapshotIndex) {
    throw damagedLog(dir, `it ends at ${last}, before its snapshot at ${snapshotIndex}.`);
  }
  if (log.hardState.commit > last) {
    throw damagedLog(dir, `it ends at ${last}, but ${log.hardState.commit} was committed.`);
  }
  const atSnapshot = log.entries[snapshotIndex - first]?.term ?? log.prevTerm;
  if (log.snapshot && log.entries.length > 0 && atSnapshot !== log.snapshot.term) {
    const { term } = log.snapshot;
    throw damagedLog(dir, `its snapshot has term ${term}, the entry there ${atSnapshot}.`);
  }
  const lastTerm = log.entries.at(-1)?.term ?? log.snapshot?.term ?? 0;
  if (log.hardState.term < lastTerm) {
    throw damagedLog(dir, `its term is ${log.hardState.term}, but an entry has term ${lastTerm}.`);
  }
}

/** Opens a value, or throws which one of which log is damaged. */
export function unseal(vault: Vault, dir: string, key: string, sealed: Buffer): Buffer {
  try {
    return vault.open(key, sealed);
  } catch (error) {
    if (isSwarmError(error, 'SWM_LOCKED')) throw error;
    throw damagedLog(dir, errorMessage(error), error);
  }
}
