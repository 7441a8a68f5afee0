import type { Random } from '../../../common/random.ts';
import type { YieldTurn } from '../../../common/turns.ts';
import type { Consensus, KeyRing } from '../../../manager/consensus/index.ts';
import type { Manager } from '../../../manager/index.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { SimProcess } from '../world/sim-process.ts';
import type { SimManager } from './sim-manager.ts';
import type { SimSecurity } from './sim-security.ts';

/** The parts of a manager that exist once its log is being opened. */
export interface OpenedLog {
  readonly store: MemoryStore;
  readonly keys: KeyRing;
  readonly consensus?: Consensus;
}

/** Milliseconds until long work gets its next turn, which others may delay. */
const SHORT_TURN_MS = [0.01, 1] as const;
const LONG_TURN_MS = [5, 200] as const;

/** One life of a manager's process. While the others do not let it in, it makes one `Manager` after another. */
export class ManagerLife {
  readonly host: SimManager;
  readonly process: SimProcess;
  manager: Manager | undefined;
  /** The identity of `manager`. */
  security: SimSecurity | undefined;
  /** The log of `manager`; undefined until it is being opened. */
  log: OpenedLog | undefined;
  /** It serves: the state on its disk is loaded. */
  ready = false;

  constructor(host: SimManager, process: SimProcess) {
    this.host = host;
    this.process = process;
  }

  /** Throws before there is one. */
  get store(): MemoryStore {
    if (this.log) return this.log.store;
    throw new Error(`manager ${this.host.name} is being prepared`);
  }

  get consensus(): Consensus | undefined {
    return this.log?.consensus;
  }

  /** Pauses long work; sometimes many others have their turn meanwhile. */
  readonly yieldTurn: YieldTurn = () =>
    new Promise((resolve) => {
      this.process.clock.setTimer(turnMs(this.process.random), resolve);
    });
}

function turnMs(random: Random): number {
  const [low, high] = random.float() < 0.95 ? SHORT_TURN_MS : LONG_TURN_MS;
  return low + random.float() * (high - low);
}
