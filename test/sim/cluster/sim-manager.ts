import { ChannelCredentials, type ClientOptions, type Metadata } from '@grpc/grpc-js';
import { sleep } from '../../../common/clock.ts';
import { errorMessage, isSwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import type { Random } from '../../../common/random.ts';
import type { Startable } from '../../../common/startable.ts';
import type { YieldTurn } from '../../../common/turns.ts';
import { callerOf, claimsForwarding, setCaller } from '../../../manager/ca/caller.ts';
import {
  Consensus,
  type ConsensusInit,
  createRaftMembershipService,
  createRaftService,
  type KeyRing,
  type StateMachine,
} from '../../../manager/consensus/index.ts';
import { LeadershipFollower } from '../../../manager/leadership-follower.ts';
import { MemoryStore } from '../../../manager/store/memory-store.ts';
import {
  type RaftJoinResponse,
  RaftMembershipServiceClient,
  RaftMembershipServiceService,
  RaftService,
} from '../../../proto/gen/swarm/raft.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import type { SimGrpc } from '../world/grpc.ts';
import { SimDisk } from '../world/sim-disk.ts';
import { SimProcess } from '../world/sim-process.ts';
import type { World } from '../world/world.ts';

export const CLUSTER_ID = 'cluster';
export const KEYS: KeyRing = { current: Buffer.alloc(32, 7), all: [Buffer.alloc(32, 7)] };

const JOIN_PAUSE_MS = 500;
/** Until long work goes on. */
const SHORT_TURN_MS = [0.01, 1] as const;
const LONG_TURN_MS = [5, 200] as const;

/** What somebody outside wants to see of a manager. */
export interface ManagerObserver {
  /** A new life: the store is empty, and will be filled. */
  started(life: ManagerLife): void;
  applied(life: ManagerLife, index: number, data: Uint8Array): void;
  leads(life: ManagerLife, isLeader: boolean): void;
}

export interface SimManagerComponents {
  readonly world: World;
  readonly grpc: SimGrpc;
  readonly observer: ManagerObserver;
  /** What runs while a manager leads. */
  readonly createRole: (life: ManagerLife) => Startable;
  /** Where a manager without a log asks to be let in. */
  readonly remotes: () => readonly string[];
  /** Offers more than Raft at the manager's port. */
  readonly services?: (life: ManagerLife) => Parameters<SimGrpc['listen']>[2];
}

export interface SimManagerInit {
  readonly name: string;
  readonly clockRate: number;
  readonly clockOffset: number;
  /** See `SimProcessInit`. */
  readonly cpuMs: number;
  readonly raft: Pick<ConsensusInit, 'snapshotPolicy' | 'tickMs' | 'electionTicks'>;
}

/** How a life begins: as the first of a cluster, or from what the disk has; without that it joins. */
export type StartMode = 'bootstrap' | 'restart';

/** One life of a manager's process, with the parts of the product in it. */
export interface ManagerLife {
  readonly host: SimManager;
  readonly process: SimProcess;
  readonly store: MemoryStore;
  /** For long works: others have their turn meanwhile, and sometimes many of them. */
  readonly yieldTurn: YieldTurn;
  readonly options: ClientOptions;
  readonly leadership: LeadershipFollower<Startable>;
  consensus: Consensus | undefined;
  /** Serves: the state from its disk is there. */
  ready: boolean;
}

/** A manager's host: its disk and its address outlast its process. */
export class SimManager {
  readonly name: string;
  readonly addr: string;
  readonly disk: SimDisk;
  readonly #components: SimManagerComponents;
  readonly #init: SimManagerInit;
  life: ManagerLife | undefined;
  /** The members say that it is none any more, or it was told to leave. */
  removed = false;
  /** What the last life ended with, if it ended by itself. */
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

  /** Begins a life; what fails in it ends it. */
  start(mode: StartMode): void {
    const { grpc, observer, services } = this.#components;
    const life = this.#newLife();
    this.life = life;
    this.removed = false;
    this.failure = undefined;
    grpc.network.setPower(this.name, true);
    this.#log('start', mode);
    const consensus = () => life.consensus;
    grpc.listen(this.addr, { host: this.name, process: life.process }, [
      [RaftService, createRaftService({ consensus, callerOf })],
      [
        RaftMembershipServiceService,
        createRaftMembershipService({
          consensus,
          callerOf: (call) => currentRole(life, callerOf(call)),
        }),
      ],
      ...(services?.(life) ?? []),
    ]);
    observer.started(life);
    this.#run(life, mode).catch((error) => {
      if (life.process.ended) return;
      this.#fail(life, error);
    });
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    const { life } = this;
    if (!life || life.process.ended) return;
    this.#log('stop', '');
    await life.consensus?.stop();
    await life.leadership.stop();
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

  wipe(): void {
    this.disk.wipe();
    this.#log('wipe', '');
  }

  #newLife(): ManagerLife {
    const { world, grpc, createRole } = this.#components;
    const { name } = this.#init;
    const process = new SimProcess(world, this.#init);
    const end = { host: name, process, identify: (metadata: Metadata) => this.#identify(metadata) };
    const { clock } = process;
    const life: ManagerLife = {
      host: this,
      process,
      options: grpc.clientOptions(end),
      yieldTurn: () => sleep(clock, turnMs(process.random)),
      store: new MemoryStore({
        clock,
        yieldTurn: () => life.yieldTurn(),
        proposer: {
          propose: (data) => {
            if (!life.consensus) throw new Error('this manager is being prepared');
            return life.consensus.propose(data);
          },
        },
      }),
      leadership: new LeadershipFollower({
        clock,
        logger: silentLogger,
        createRole: () => createRole(life),
      }),
      consensus: undefined,
      ready: false,
    };
    return life;
  }

  async #run(life: ManagerLife, mode: StartMode): Promise<void> {
    const { observer } = this.#components;
    const consensus = await this.#open(life, mode);
    life.consensus = consensus;
    consensus.onLeadership((isLeader) => {
      if (life.process.ended) return;
      observer.leads(life, isLeader);
      life.leadership.follow(isLeader);
    });
    await consensus.start();
    life.ready = true;
    this.#log('ready', `raft id ${consensus.raftId}, applied ${consensus.appliedIndex}`);
  }

  async #open(life: ManagerLife, mode: StartMode): Promise<Consensus> {
    const { process, options } = life;
    const components = {
      clock: process.clock,
      random: process.random,
      logger: silentLogger,
      keys: KEYS,
      yieldTurn: life.yieldTurn,
      stateMachine: this.#watched(life),
      dial: () => ({ credentials: ChannelCredentials.createInsecure(), options }),
      openLogDb: () => this.disk.openFor(process),
    };
    const init: ConsensusInit = {
      ...this.#init.raft,
      dir: this.name,
      nodeId: this.name,
      addr: this.addr,
      onRemoved: () => {
        if (process.ended) return;
        this.#log('removed', 'told by the members or its log');
        this.removed = true;
        this.#end(life);
        this.wipe();
      },
      onFailure: (error) => {
        if (process.ended) return;
        this.#fail(life, error);
      },
    };
    if (mode === 'bootstrap') return Consensus.open(components, { ...init, bootstrap: true });
    try {
      return await Consensus.open(components, init);
    } catch (error) {
      // There is no log yet: it is to become a manager, or ended before it was one.
      if (!isSwarmError(error, 'SWM_FAILED_PRECONDITION')) throw error;
    }
    const { raftId, membership } = await this.#join(life);
    if (!membership) throw new Error('the leader named no members');
    return Consensus.open(components, { ...init, join: { raftId, membership } });
  }

  /** Asks until somebody lets it in, as the daemon does. */
  async #join(life: ManagerLife): Promise<RaftJoinResponse> {
    const { clock } = life.process;
    for (;;) {
      for (const addr of this.#components.remotes()) {
        if (addr === this.addr) continue;
        try {
          return await askToJoin(life, addr, this.addr);
        } catch (error) {
          this.#log('join', `${addr}: ${errorMessage(error)}`);
        }
      }
      await sleep(clock, JOIN_PAUSE_MS);
    }
  }

  /** The store, and who watches it. */
  #watched(life: ManagerLife): StateMachine {
    const { store, process } = life;
    const { observer } = this.#components;
    return {
      apply: (index, data) => {
        if (!process.ended) observer.applied(life, index, data);
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

  #identify(metadata: Metadata): void {
    if (claimsForwarding(metadata)) return;
    const role = NodeRole.MANAGER;
    setCaller(metadata, { nodeId: this.name, role, clusterId: CLUSTER_ID, addr: this.name });
  }

  #fail(life: ManagerLife, error: unknown): void {
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

function turnMs(random: Random): number {
  const [low, high] = random.float() < 0.95 ? SHORT_TURN_MS : LONG_TURN_MS;
  return low + random.float() * (high - low);
}

/** As in the product: who is demoted must not enter again. */
function currentRole<T extends { nodeId: string }>({ store }: ManagerLife, caller: T) {
  const node = store.view((tx) => tx.get('node', caller.nodeId));
  const isManager = node?.role === NodeRole.MANAGER && node.spec?.desiredRole === NodeRole.MANAGER;
  return { ...caller, role: isManager ? NodeRole.MANAGER : NodeRole.WORKER };
}

function askToJoin(life: ManagerLife, remote: string, addr: string): Promise<RaftJoinResponse> {
  const credentials = ChannelCredentials.createInsecure();
  const client = new RaftMembershipServiceClient(remote, credentials, life.options);
  const { clock } = life.process;
  const options = { deadline: clock.now() + 15_000 };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      RaftMembershipServiceService.join.path,
      RaftMembershipServiceService.join.requestSerialize,
      RaftMembershipServiceService.join.responseDeserialize,
      { addr, raftId: 0 },
      options,
      (error, response) => {
        if (response) resolve(response as RaftJoinResponse);
        else reject(error ?? new Error('no answer'));
      },
    );
  });
}
