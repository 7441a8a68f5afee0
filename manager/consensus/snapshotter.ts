import type { ConfState } from 'raft-ts';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { RaftMembership } from '../../proto/gen/swarm/raft.ts';
import type { LogDisk } from './log-disk.ts';
import type { SnapshotManifest } from './log-records.ts';
import type { LogTail } from './log-tail.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import type { StateMachine } from './types.ts';

export interface SnapshotterComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk: LogDisk;
  readonly tail: LogTail;
  readonly snapshots: SnapshotStore;
  readonly stateMachine: StateMachine;
}

export interface SnapshotPolicy {
  /** Entries between two snapshots. */
  readonly interval: number;
  /** Entries kept behind a snapshot, for followers that lag a little. */
  readonly keep: number;
}

export interface SnapshotterInit {
  readonly policy: SnapshotPolicy;
  /** Runs a job while nothing else writes to the disk. */
  readonly exclusive: <T>(job: () => Promise<T>) => Promise<T>;
  /** The first entry that a follower which keeps up still needs. */
  readonly neededFrom: () => number;
  readonly failed: (error: unknown) => void;
}

/** The state as of now: what the applied log up to `index` leads to. */
export interface AppliedState {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  readonly membership: RaftMembership;
}

/** A state, and what `StateMachine.restore` makes it of. */
export interface Capture {
  readonly state: AppliedState;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Entries above this are worth a snapshot, however few they are. */
const LOG_BYTES_MAX = 64 * 1024 * 1024;
/** What may be kept for followers beyond the policy. */
const KEEP_BYTES_MAX = 32 * 1024 * 1024;

/** Takes snapshots by policy, beside the running log, and frees the entries they make superfluous. */
export class Snapshotter {
  readonly #components: SnapshotterComponents;
  readonly #init: SnapshotterInit;
  #policy: SnapshotPolicy;
  #running: Promise<void> | undefined;

  constructor(components: SnapshotterComponents, init: SnapshotterInit) {
    this.#components = components;
    this.#init = init;
    this.#policy = init.policy;
  }

  setPolicy(policy: SnapshotPolicy): void {
    this.#policy = policy;
  }

  isDue(index: number): boolean {
    const { tail } = this.#components;
    const since = index - (tail.manifest?.index ?? 0);
    if (this.#running || since <= 0) return false;
    return (
      since >= this.#policy.interval || (tail.bytes > LOG_BYTES_MAX && since > this.#policy.keep)
    );
  }

  /** To be called between two applies: the state machine's pieces are those of this moment. */
  take(state: AppliedState): Promise<void> {
    if (this.#running) return this.#running;
    const pieces = this.#components.stateMachine.snapshot();
    this.#running = this.#write(state, pieces)
      .catch((error) => this.#init.failed(error))
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #write(state: AppliedState, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const { snapshots, disk, tail, logger, clock } = this.#components;
    const begun = clock.monotonic();
    const held = snapshots.holdNew();
    try {
      const { chunks, bytes } = await snapshots.write(held.id, pieces);
      const manifest: SnapshotManifest = { id: held.id, ...state, chunks, bytes };
      const adopted = await this.#init.exclusive(() => this.#adopt(manifest));
      const ms = Math.round(clock.monotonic() - begun);
      if (adopted) logger.info({ index: state.index, bytes, chunks, ms }, 'snapshot taken');
    } finally {
      held.release();
    }
    await snapshots.collect(tail.manifest?.id ?? '');
    await this.#init.exclusive(() => disk.compact(tail.firstIndex() - 1));
  }

  async #adopt(manifest: SnapshotManifest): Promise<boolean> {
    const { disk, tail } = this.#components;
    // A newer one may have come from the leader meanwhile.
    if (manifest.index <= (tail.manifest?.index ?? 0)) return false;
    await disk.write({ snapshot: manifest, sync: true });
    tail.setSnapshot(manifest);
    tail.compact(this.#compactTo(manifest.index));
    return true;
  }

  /** Keeps what the policy says, and somewhat more for followers that are on their way. */
  #compactTo(index: number): number {
    const { tail } = this.#components;
    const byPolicy = index - this.#policy.keep;
    const needed = Math.max(this.#init.neededFrom() - 1, byPolicy - this.#policy.interval);
    const target = Math.max(Math.min(byPolicy, needed), tail.indexWithin(KEEP_BYTES_MAX));
    return Math.min(target, index);
  }
}
