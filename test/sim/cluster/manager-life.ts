import type { Random } from '../../../common/random.ts';
import type { YieldTurn } from '../../../common/turns.ts';
import type { Consensus, KeyRing } from '../../../manager/consensus/index.ts';
import type { Manager } from '../../../manager/index.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { SimProcess } from '../world/sim-process.ts';
import type { SimManager } from './sim-manager.ts';
import type { SimSecurity } from './sim-security.ts';

/** What of a manager is there once its log is being opened. */
export interface OpenedLog {
  readonly store: MemoryStore;
  readonly keys: KeyRing;
  readonly consensus?: Consensus;
}

/** Until long work goes on. */
const SHORT_TURN_MS = [0.01, 1] as const;
const LONG_TURN_MS = [5, 200] as const;

/** One life of a manager's process. In it a manager that is not let in yet is begun again. */
export class ManagerLife {
  readonly host: SimManager;
  readonly process: SimProcess;
  manager: Manager | undefined;
  /** Of `manager`. */
  security: SimSecurity | undefined;
  /** Of `manager`. */
  log: OpenedLog | undefined;
  /** Serves: the state from its disk is there. */
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

  /** For long works: others have their turn meanwhile, and sometimes many of them. */
  readonly yieldTurn: YieldTurn = () =>
    new Promise((resolve) => {
      this.process.clock.setTimer(turnMs(this.process.random), resolve);
    });
}

function turnMs(random: Random): number {
  const [low, high] = random.float() < 0.95 ? SHORT_TURN_MS : LONG_TURN_MS;
  return low + random.float() * (high - low);
}
