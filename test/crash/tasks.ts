import type { SnapshotPolicy } from '../../manager/consensus/index.ts';
import type { BootInit } from '../../manager/consensus/log-boot.ts';
import type { KillPoint } from './kill-points.ts';

/** What one life of a child is to do; handed over as a JSON file. */
export interface LifeTask {
  readonly journal: string;
  /** The disk operation at which it is killed. */
  readonly point?: KillPoint | undefined;
  /** Or it is killed so long after it is up; 0 for never. */
  readonly lifeMs: number;
}

/** For the only manager of a cluster. */
export interface ManagerTask extends LifeTask {
  readonly stateDir: string;
  readonly addr: string;
  /** There is nothing in `stateDir` yet. */
  readonly isNew: boolean;
  /** How many operations it tries, and the number of the first. */
  readonly operations: number;
  readonly firstName: number;
}

/** For a member of a group of three. */
export interface MemberTask extends LifeTask {
  readonly nodeId: string;
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly firstName: number;
  /** Its work is done when this was applied. */
  readonly untilText: string;
  readonly init: {
    readonly tickMs: number;
    readonly snapshotPolicy: SnapshotPolicy;
    /** Makes snapshots larger. */
    readonly padding: number;
    readonly join?: BootInit['join'];
    /** Of the key ring, the current one first: see `keyRing`. */
    readonly keys: readonly number[];
    /** Has it seal all that it has with the current one. */
    readonly rotates: boolean;
  };
}
