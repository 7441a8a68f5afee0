import type { Metadata } from '@grpc/grpc-js';
import { sleep } from '../../../common/clock.ts';
import { errorMessage, isSwarmError } from '../../../common/errors.ts';
import type { Files } from '../../../common/files.ts';
import { silentLogger } from '../../../common/logger.ts';
import { claimsForwarding, setCaller } from '../../../manager/ca/caller.ts';
import { KeyFile } from '../../../manager/ca/index.ts';
import {
  Consensus,
  type ConsensusInit,
  type StateMachine,
} from '../../../manager/consensus/index.ts';
import { Manager, type ManagerMode } from '../../../manager/index.ts';
import type { ManagerEdge } from '../../../manager/manager-init.ts';
import { keyPath, logDir } from '../../../manager/raft-state.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import type { SimGrpc } from '../world/grpc.ts';
import { SimDisk } from '../world/sim-disk.ts';
import { SimProcess } from '../world/sim-process.ts';
import { SimRpcServer } from '../world/sim-rpc-server.ts';
import type { World } from '../world/world.ts';
import { ManagerLife, type OpenedLog } from './manager-life.ts';
import { SimSecurity } from './sim-security.ts';

export const CLUSTER_ID = 'cluster';

/** After which a manager that the others did not let in asks again. */
const RETRY_MS = 2_000;

/** `later`: the others cannot be asked to let it in, or would not yet. */
type Outcome = 'started' | 'refused' | 'later';

/** What the checks of a simulation see of a manager. */
export interface ManagerObserver {
  /** A log is about to be opened: the store is empty, and will be filled. */
  opens(life: ManagerLife): void;
  applied(life: ManagerLife, index: number, data: Uint8Array): void;
  leads(life: ManagerLife, isLeader: boolean): void;
}

export interface SimManagerComponents {
  readonly world: World;
  readonly grpc: SimGrpc;
  readonly observer: ManagerObserver;
  /** Where a manager without a log asks to be let in. */
  readonly remotes: () => readonly string[];
  /** What users were ever told to unlock a manager with, the newest first. */
  readonly unlockKeys: () => readonly Uint8Array[];
}

export interface SimManagerInit {
  readonly name: string;
  readonly clockRate: number;
  readonly clockOffset: number;
  /** See `SimProcessInit`. */
  readonly cpuMs: number;
  readonly raft: Pick<ConsensusInit, 'tickMs' | 'electionTicks'>;
}

/**
 * A manager's host: its disk and its address outlast its process. Does for a `Manager` what the daemon
 * does: unlocks it, starts it again while the others do not let it in, cleans up when it is removed.
 */
export class SimManager {
  readonly name: string;
  readonly addr: string;
  readonly disk: SimDisk;
  readonly #components: SimManagerComponents;
  readonly #init: SimManagerInit;
  life: ManagerLife | undefined;
  /** It is not to be started: it is no member any more, or is to be admitted first. */
  removed = false;
  /** The error that ended the last life, if one did. */
  failure: unknown;

  constructor(components: SimManagerComponents, init: SimManagerInit) {
    this.#components = components;
    this.#init = init;
    this.name = init.name;
    this.addr = `${init.name}:2377`;
    this.disk = new SimDisk({ random: components.world.random() });
  }

  get running(): boolean {
    return this.life !== undefined && !this.life.process.ended;
  }

  get consensus(): Consensus | undefined {
    return this.life?.consensus;
  }

  /** Begins a life; what fails in it ends it. Without a log, a restart asks the others to be let in. */
  start(mode: ManagerMode = { type: 'restart' }): void {
    const { world, grpc } = this.#components;
    const life = new ManagerLife(this, new SimProcess(world, this.#init));
    this.life = life;
    this.removed = false;
    this.failure = undefined;
    grpc.network.setPower(this.name, true);
    this.#log('start', mode.type);
    this.#run(life, mode).catch((error) => this.#fail(life, error));
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    const { life } = this;
    if (!life || life.process.ended) return;
    this.#log('stop', '');
    await life.manager?.stop();
    this.#end(life);
  }

  /** Without `powerLoss` only the process ends, and the host goes on. */
  crash(powerLoss: boolean): void {
    const { life } = this;
    if (!life || life.process.ended) return;
    if (powerLoss) this.#components.grpc.network.setPower(this.name, false);
    this.#kill(life);
    if (!powerLoss) {
      this.disk.survive();
      this.#log('crash', 'process');
    } else this.#log('crash', `power, ${this.disk.crash()} unsynced writes lost`);
  }

  /** One bit on its disk changes by itself. Returns where. */
  rot(): string | undefined {
    return this.disk.flip(`${this.name}/raft`);
  }

  wipe(): void {
    this.disk.wipe();
    this.#log('wipe', '');
  }

  /** What it has on disk is locked as `key` says, and nothing is left of before. */
  isLockedWith(key: Uint8Array | undefined): boolean {
    const { manager, security, log } = this.life ?? {};
    if (Buffer.compare(manager?.heldUnlockKey ?? NONE, key ?? NONE) !== 0) return false;
    return security?.isKeyEncrypted === (key !== undefined) && log?.keys.all.length === 1;
  }

  async #run(life: ManagerLife, mode: ManagerMode): Promise<void> {
    const { clock } = life.process;
    let outcome = await this.#attempt(life, mode);
    while (outcome === 'later') {
      await sleep(clock, RETRY_MS);
      outcome = await this.#attempt(life, mode);
    }
    if (outcome === 'refused') return this.#leave(life, 'the others do not let it in');
    const { consensus } = life;
    life.ready = true;
    this.#log('ready', `raft id ${consensus?.raftId}, applied ${consensus?.appliedIndex}`);
  }

  async #attempt(life: ManagerLife, mode: ManagerMode): Promise<Outcome> {
    const manager = await this.#newManager(life, mode);
    life.manager = manager;
    try {
      await manager.start();
      return 'started';
    } catch (error) {
      if (isSwarmError(error, 'SWM_PERMISSION_DENIED')) return 'refused';
      if (manager.failure || !isSwarmError(error) || isItsOwn(error)) throw error;
      this.#log('join', errorMessage(error));
      return 'later';
    }
  }

  async #newManager(life: ManagerLife, mode: ManagerMode): Promise<Manager> {
    const { process } = life;
    const files = this.disk.filesFor(process, logDir(this.name));
    const keys = await this.#unlocked(life, files);
    const securityConfig = await SimSecurity.load(files, {
      path: `${this.name}/tls-key`,
      identity: { nodeId: this.name, role: NodeRole.MANAGER, clusterId: CLUSTER_ID },
      passphrase: keys?.passphrase,
      remotes: () => this.#components.remotes().filter((addr) => addr !== this.addr),
    });
    life.security = securityConfig;
    const { clock, random } = process;
    const openLog = this.#openLog(life);
    const components = { clock, random, logger: silentLogger, yieldTurn: life.yieldTurn };
    const edge = { ...this.#edge(process), files, openLog };
    return new Manager(
      { ...components, ...edge, securityConfig, keys },
      {
        stateDir: this.name,
        listenAddr: this.addr,
        advertiseAddr: this.addr,
        mode,
        onRemoved: () => this.#leave(life, 'told by the members or its log'),
        onFailed: () => this.#fail(life, life.manager?.failure),
      },
    );
  }

  /** The network as `process` sees it. */
  #edge(process: SimProcess): Pick<ManagerEdge, 'clientOptions' | 'createServer'> {
    const { grpc } = this.#components;
    const host = this.name;
    const identify = (metadata: Metadata) => this.#identify(metadata);
    return {
      clientOptions: grpc.clientOptions({ host, process, identify }),
      createServer: () => new SimRpcServer(grpc, { host, process }),
    };
  }

  /** `Consensus.open` as in the product, on the simulated disk, and reported to the observer. */
  #openLog(life: ManagerLife): typeof Consensus.open {
    const { observer } = this.#components;
    const { process } = life;
    return async (components, init) => {
      const log: OpenedLog = {
        store: components.stateMachine as MemoryStore,
        keys: components.keys,
      };
      if (life.log?.store !== log.store) {
        life.log = log;
        observer.opens(life);
      }
      const openLogDb = () => this.disk.openFor(process);
      const stateMachine = this.#watched(life, log.store);
      const consensus = await Consensus.open(
        { ...components, stateMachine, openLogDb },
        { ...init, ...this.#init.raft },
      );
      consensus.onLeadership((isLeader) => {
        if (!process.ended) observer.leads(life, isLeader);
      });
      life.log = { ...log, consensus };
      return consensus;
    };
  }

  #watched(life: ManagerLife, store: MemoryStore): StateMachine {
    const { observer } = this.#components;
    return {
      apply: (index, data) => {
        if (!life.process.ended) observer.applied(life, index, data);
        store.apply(index, data);
      },
      discardProposals: () => store.discardProposals(),
      snapshot: () => store.snapshot(),
      restore: (index, chunks) => {
        this.#log('restore', `snapshot at ${index}`);
        return store.restore(index, chunks);
      },
    };
  }

  /** The key file, if there is one, opened with any unlock key that users were ever told. */
  async #unlocked(life: ManagerLife, files: Files): Promise<KeyFile | undefined> {
    const { random } = life.process;
    const path = keyPath(this.name);
    for (const unlockKey of [undefined, ...this.#components.unlockKeys()]) {
      try {
        return await KeyFile.read({ random, files }, { path, unlockKey });
      } catch (error) {
        if (!isSwarmError(error, 'SWM_LOCKED', 'SWM_UNAUTHENTICATED')) throw error;
      }
    }
    throw new Error(`no unlock key that was ever told unlocks ${this.name}`);
  }

  #identify(metadata: Metadata): void {
    if (claimsForwarding(metadata)) return;
    const role = NodeRole.MANAGER;
    setCaller(metadata, { nodeId: this.name, role, clusterId: CLUSTER_ID, addr: this.name });
  }

  /** It is no manager any more: what it has on disk is removed. */
  #leave(life: ManagerLife, reason: string): void {
    if (life.process.ended) return;
    this.#log('removed', reason);
    this.removed = true;
    this.#end(life);
    this.wipe();
  }

  #fail(life: ManagerLife, error: unknown): void {
    if (life.process.ended) return;
    this.failure = error;
    this.#log('failed', errorMessage(error));
    this.#end(life);
  }

  #end(life: ManagerLife): void {
    if (life.process.ended) return;
    this.#kill(life);
    this.disk.survive();
  }

  #kill(life: ManagerLife): void {
    life.process.end();
    life.ready = false;
    // What is left of it has no clock, no disk and no network; this has it stop trying.
    life.consensus?.abandon().catch(() => undefined);
  }

  #log(kind: string, details: string): void {
    this.#components.world.log(this.name, kind, details);
  }
}

const NONE = Buffer.alloc(0);

/** Whether the reason is on this manager's disk, and not at the others. */
function isItsOwn(error: unknown): boolean {
  return isSwarmError(error, 'SWM_DAMAGED', 'SWM_LOCKED');
}
