import type { ConfState, Entry, HardState } from 'raft-ts';
import { SwarmError } from '../../common/errors.ts';
import type { RaftMembership } from '../../proto/gen/swarm/raft.ts';

/** Whose log this is. Written once, with the first entries. */
export interface LogIdentity {
  readonly format: 1;
  readonly raftId: number;
  readonly nodeId: string;
  /** The members as of joining: whom to ask until the log says more. */
  readonly joined?: RaftMembership;
}

/** A snapshot's description; its data are `chunks` values of their own. */
export interface SnapshotManifest {
  /** Names the chunks: no two snapshots of one log share it. */
  readonly id: string;
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  readonly membership: RaftMembership;
  readonly chunks: number;
  readonly bytes: number;
}

/** All that a restart needs, checked. */
export interface StoredLog {
  readonly identity: LogIdentity;
  readonly hardState: HardState;
  readonly snapshot: SnapshotManifest | undefined;
  /** Consecutive; may begin before the snapshot's index, never later than one after it. */
  readonly entries: readonly Entry[];
  /** The term of the entry before the first of `entries`. */
  readonly prevTerm: number;
}

export const IDENTITY_KEY = 'meta';
export const HARD_STATE_KEY = 'hard';
export const MANIFEST_KEY = 's/current';
export const PACKS = { gte: 'e/', lt: 'e0' };
export const SNAPSHOTS = { gte: 's/', lt: 's0' };

export function packKey(firstIndex: number): string {
  return `e/${String(firstIndex).padStart(16, '0')}`;
}

export function chunkKey(snapshotId: string, n: number): string {
  return `s/${snapshotId}/${String(n).padStart(8, '0')}`;
}

/** The id in a chunk's key. */
export function snapshotIdOf(key: string): string {
  return key.split('/')[1] ?? '';
}

export function toJson(record: object): Buffer {
  return Buffer.from(JSON.stringify(record));
}

export function fromJson<T>(bytes: Buffer): T {
  return JSON.parse(bytes.toString()) as T;
}

/** What to throw when the log in `dir` cannot be trusted. Nothing is repaired behind the user's back. */
export function damagedLog(dir: string, what: string, cause?: unknown): SwarmError {
  return new SwarmError('SWM_DAMAGED', `The Raft log in ${dir} is damaged: ${what}`, {
    hint:
      'If other managers run, make this node leave the swarm with --force, remove it there, and ' +
      'join again; if it is the only one, leave and run `swarmctl swarm recover` with a backup.',
    cause,
  });
}
