import type { Clock } from '../../common/clock.ts';
import type { SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Pacing } from '../../common/slices.ts';
import type { Dialer } from './dial.ts';
import type { BootInit } from './log-boot.ts';
import type { OpenLogDb } from './log-db.ts';
import type { SnapshotPolicy } from './snapshotter.ts';
import type { StateMachine } from './types.ts';
import type { KeyRing } from './vault.ts';

export interface ConsensusComponents extends Dialer, Pacing {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly stateMachine: StateMachine;
  readonly keys: KeyRing;
  /** Told how long each proposal took until it was applied here, milliseconds. */
  readonly onProposed?: ((ms: number) => void) | undefined;
  /** Where the log is kept; LevelDB by default. */
  readonly openLogDb?: OpenLogDb | undefined;
}

/** `BootInit` says whose log it is and how it begins. */
export interface ConsensusInit extends BootInit {
  /** Of the log, and nothing else. */
  readonly dir: string;
  readonly tickMs?: number;
  readonly heartbeatTicks?: number;
  readonly electionTicks?: number;
  readonly snapshotPolicy?: SnapshotPolicy;
  /** Other managers say, or the log does, that this one is no member any more. Called once. */
  readonly onRemoved?: () => void;
  /** This manager cannot go on: its disk or its state failed. Called once; it takes part no more. */
  readonly onFailure?: (error: SwarmError) => void;
}
