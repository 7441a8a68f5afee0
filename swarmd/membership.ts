import type { Clock, Timer } from '../common/clock.ts';
import { errorMessage } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Random } from '../common/random.ts';
import type { Pacing } from '../common/slices.ts';
import {
  type KeyFile,
  Manager,
  type ManagerMode,
  readManagerKeys,
  removeManagerState,
  type SecurityConfig,
} from '../manager/index.ts';
import { gossipPeerId, type NetDriverApi } from '../netdriver/index.ts';
import { IssuanceState, type NodeDescription, NodeRole } from '../proto/gen/swarm/types.ts';
import {
  Agent,
  type AgentApi,
  type EngineApi,
  grpcDial,
  LevelTaskDb,
  type SessionState,
} from '../worker/index.ts';
import { dialable, hostOf, joinHostPort, splitHostPort } from './addresses.ts';
import type { SystemInfo } from './api/node-api.ts';
import { hasRoom } from './disk-room.ts';
import { describeNode } from './node-description.ts';
import { gossipKey, type NodeRecord, swarmDir, tasksDir, writeNodeRecord } from './node-files.ts';

const MANAGER_RETRY_MS = 2_000;
const DESCRIBE_AFTER_MS = 500;
const REFUSAL_HINT = 'leave with "swarmctl leave --force", after which this machine can join again';

const MANAGER_EXPIRY_HINT =
  'if others manage the swarm, leave with "swarmctl leave --force" and join again; if not, save it with ' +
  '"swarmctl swarm backup --local", leave, and bring it back with "swarmctl swarm recover FILE"';

export interface MembershipComponents extends Pacing {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly engine: EngineApi;
  readonly netdriver: NetDriverApi;
  readonly systemInfo: SystemInfo;
  /** For metrics, see `ManagerComponents`. */
  readonly onProposed?: ((ms: number) => void) | undefined;
}

export interface MembershipInit {
  readonly stateDir: string;
  readonly gossipPort: number;
  readonly record: NodeRecord;
  readonly securityConfig: SecurityConfig;
  /** How the manager starts, if this node is one. */
  readonly managerMode: ManagerMode;
  /** Of the manager that this node was before, if it was one. */
  readonly keys?: KeyFile | undefined;
  /** Called after the manager came or went, or the managers known changed. */
  readonly onChange: () => void;
}

/**
 * One node's life in one swarm: certificate, gossip, agent, and a manager while the certificate's
 * role says so.
 */
export class Membership {
  readonly #components: MembershipComponents;
  readonly #init: MembershipInit;
  readonly securityConfig: SecurityConfig;
  #record: NodeRecord;
  #manager: Manager | undefined;
  #agent: AgentApi | undefined;
  #stopped = false;
  /** Whoever leaves is removed from the managers, and is not to come in again for it. */
  #leaving = false;
  /** Role changes and attachments are applied one after the other. */
  #work: Promise<void> = Promise.resolve();
  #unsubscribe: (() => void)[] = [];
  #refusal = '';
  #trouble = '';
  /** What the last manager of this node had locked its files with; also one that did not start. */
  #unlockKey: Uint8Array | undefined;
  #describing: Timer | undefined;

  constructor(components: MembershipComponents, init: MembershipInit) {
    this.#components = components;
    this.#init = init;
    this.#record = init.record;
    this.#unlockKey = init.keys?.unlockKey;
    this.securityConfig = init.securityConfig;
  }

  get nodeId(): string {
    return this.securityConfig.identity.nodeId;
  }

  get role(): NodeRole {
    return this.securityConfig.identity.role;
  }

  get manager(): Manager | undefined {
    return this.#manager;
  }

  /** What a restart of the manager needs; undefined while it is not locked. */
  get unlockKey(): Uint8Array | undefined {
    return this.#manager ? this.#manager.heldUnlockKey : this.#unlockKey;
  }

  get record(): NodeRecord {
    return this.#record;
  }

  get session(): SessionState | undefined {
    return this.#agent?.session;
  }

  /** Where managers can be asked: the own one first, which may not be reached where it advertises. */
  get managers(): readonly string[] {
    const { listenAddr, managers } = this.#record;
    return this.#manager ? [dialable(listenAddr), ...managers] : managers;
  }

  /** Why managers and this node do not come together, or its manager not up; '' while all is well. */
  get trouble(): string {
    return this.#refusal || this.#expiry() || this.#trouble;
  }

  /** Starts everything; resolves without waiting for the first session. */
  async start(): Promise<void> {
    const { engine } = this.#components;
    const seed = await gossipKey(this.#init.stateDir, () => this.#components.random.bytes(32));
    await this.#joinGossip(seed);
    await this.securityConfig.start();
    if (this.role === NodeRole.MANAGER) {
      await this.#startManager(this.#init.managerMode, this.#init.keys);
    } else await this.#forgetManager();
    this.#agent = await this.#createAgent(seed);
    engine.setSwarmAttacher(this.#agent.attacher);
    this.#unsubscribe = [
      this.#agent.onSession((state) => this.#onSession(state)),
      this.securityConfig.onChange(() => this.#onCertificate(seed)),
    ];
    await this.#agent.start();
  }

  /** Resolves once the managers know this node and it runs what they assign. */
  ready(signal?: AbortSignal): Promise<void> {
    return this.#agent?.ready(signal) ?? Promise.reject(new Error('the membership is not started'));
  }

  /** Writes it down, to be taken up by the next start of the daemon. */
  keep(): Promise<void> {
    const kept = this.#work.then(() => writeNodeRecord(this.#init.stateDir, this.#record));
    this.#work = kept.catch(() => undefined);
    return kept;
  }

  /** The daemon ends, the membership does not: containers and networks stay as they are. */
  async stop(): Promise<void> {
    await this.#halt();
    await this.#agent?.stop({ leave: false });
    await this.#manager?.stop();
    await this.securityConfig.stop();
  }

  /** Leaves the swarm. What is on disk is the caller's to remove. */
  async leave(force: boolean): Promise<void> {
    const { logger } = this.#components;
    const onlyIfForced = (error: unknown) => {
      if (!force) throw error;
      logger.warn({ err: errorMessage(error) }, 'left without the consent of the other managers');
    };
    this.#leaving = true;
    // One that is just starting may have become a member.
    await this.#work;
    try {
      await this.#manager?.leaveRaft(force).catch(onlyIfForced);
    } catch (error) {
      this.#leaving = false;
      throw error;
    }
    await this.#halt();
    await this.#agent?.stop({ leave: true });
    await this.#manager?.stop();
    this.#manager = undefined;
    await this.securityConfig.stop();
    await this.#components.netdriver.leaveSwarm();
  }

  async #halt(): Promise<void> {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#describing?.cancel();
    this.#components.engine.setSwarmAttacher(undefined);
    await this.#work;
  }

  async #joinGossip(seed: Uint8Array): Promise<void> {
    const listen = splitHostPort(this.#record.listenAddr, 0)?.host ?? '0.0.0.0';
    await this.#components.netdriver.joinSwarm({
      nodeId: this.nodeId,
      gossipKey: seed,
      gossipListen: joinHostPort(listen, this.#init.gossipPort),
      advertiseAddr: hostOf(this.#record.advertiseAddr),
      dataPathAddr: this.#record.dataPathAddr,
      dataPathPort: this.#record.dataPathPort,
    });
  }

  async #startManager(mode: ManagerMode, keys?: KeyFile): Promise<void> {
    const { clock, random, logger, netdriver, yieldTurn, onProposed } = this.#components;
    const { securityConfig } = this;
    // It may be over before it has started; then that is seen to afterwards.
    let endedEarly: (() => void) | undefined;
    const ended = (follow: () => void) => {
      if (this.#manager === manager) follow();
      else endedEarly = follow;
    };
    const manager = new Manager(
      { clock, random, logger, yieldTurn, onProposed, securityConfig, gossip: netdriver, keys },
      {
        stateDir: swarmDir(this.#init.stateDir),
        listenAddr: this.#record.listenAddr,
        advertiseAddr: this.#record.advertiseAddr,
        mode,
        onRemoved: () => ended(() => this.#enqueue(() => this.#replaceManager(manager))),
        onFailed: () => ended(() => this.#onFailed(manager)),
      },
    );
    try {
      await manager.start();
    } catch (error) {
      await manager.stop();
      throw error;
    } finally {
      this.#unlockKey = manager.heldUnlockKey;
    }
    this.#manager = manager;
    this.#trouble = '';
    this.#init.onChange();
    endedEarly?.();
  }

  async #createAgent(seed: Uint8Array): Promise<AgentApi> {
    const { engine, netdriver, clock, random, logger } = this.#components;
    return new Agent(
      {
        engine,
        netdriver,
        clock,
        random,
        logger: logger.child({ module: 'agent' }),
        dial: grpcDial(() => this.securityConfig.clientCredentials(NodeRole.MANAGER)),
        db: await LevelTaskDb.open(tasksDir(this.#init.stateDir), { logger }),
      },
      {
        nodeId: this.nodeId,
        description: await this.#describe(seed),
        peers: this.#record.managers.map((addr) => ({ nodeId: '', addr })),
        localManager: () => (this.#manager ? dialable(this.#record.listenAddr) : undefined),
        onRefused: (reason) => this.#onRefused(reason),
        onPeers: (peers) => this.#enqueue(() => this.#remember(peers.map((peer) => peer.addr))),
      },
    );
  }

  async #describe(seed: Uint8Array): Promise<NodeDescription> {
    const gossip = {
      peerId: await gossipPeerId(seed),
      addr: joinHostPort(hostOf(this.#record.advertiseAddr), this.#init.gossipPort),
      dataPathAddr: this.#record.dataPathAddr,
    };
    return describeNode(this.#components.systemInfo, gossip, this.securityConfig);
  }

  /** Nobody talks to a node whose certificate has expired, so that it cannot renew it either. */
  #expiry(): string {
    const { notAfter } = this.securityConfig;
    if (this.#components.clock.now() <= notAfter) return '';
    const when = new Date(notAfter).toISOString();
    const remedy = this.role === NodeRole.MANAGER ? MANAGER_EXPIRY_HINT : REFUSAL_HINT;
    return `the certificate of this node has expired (${when}); ${remedy}`;
  }

  #onSession(state: SessionState): void {
    const { netdriver } = this.#components;
    netdriver.setPeers(state.gossipPeers);
    this.#enqueue(() => this.securityConfig.trustRoots(state.rootCa));
    const { node } = state;
    if (!node) return;
    this.#enqueue(() => netdriver.setNodeAttachments(node.attachments));
    if (node.role !== this.role) this.#enqueue(() => this.#renewForRole(node.role));
    else if (node.certificate?.status?.state === IssuanceState.ROTATE) {
      this.#enqueue(async () => this.securityConfig.requestRenewal());
    }
    this.#init.onChange();
  }

  #onRefused(reason: string | undefined): void {
    const refusal = reason === undefined ? '' : `${reason}; ${REFUSAL_HINT}`;
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    this.#init.onChange();
  }

  /** The certificate or the roots are others: the role may be, and the managers wait to hear of it. */
  #onCertificate(seed: Uint8Array): void {
    this.#enqueue(() => this.#followRole());
    // Roots and certificate often change one after the other, and each telling is a registration.
    this.#describing?.cancel();
    this.#describing = this.#components.clock.setTimer(DESCRIBE_AFTER_MS, () =>
      this.#enqueue(async () => this.#agent?.describe(await this.#describe(seed))),
    );
  }

  async #renewForRole(role: NodeRole): Promise<void> {
    if (role !== this.role) await this.securityConfig.renew();
  }

  /** The other managers removed `manager`: it is void. A new one joins if the node is to have one. */
  async #replaceManager(manager: Manager): Promise<void> {
    if (this.#manager !== manager || this.#leaving) return;
    await this.#endManager(manager);
    await this.#followRole();
  }

  /** It is begun again from its disk, when there is room on it, and until then left to answer. */
  #onFailed(manager: Manager): void {
    this.#init.onChange();
    const { clock } = this.#components;
    clock.setTimer(MANAGER_RETRY_MS, async () => {
      if (this.#stopped || this.#manager !== manager) return;
      if (await hasRoom(swarmDir(this.#init.stateDir))) {
        this.#enqueue(() => this.#restartManager(manager));
      } else this.#onFailed(manager);
    });
  }

  async #restartManager(manager: Manager): Promise<void> {
    if (this.#manager !== manager) return;
    this.#unlockKey = manager.heldUnlockKey;
    this.#manager = undefined;
    this.#init.onChange();
    await manager.stop();
    await this.#tryToStart(() => ({ type: 'restart' }));
  }

  async #endManager(manager: Manager): Promise<void> {
    this.#manager = undefined;
    this.#init.onChange();
    await manager.stop();
    await manager.discardState();
    this.#unlockKey = undefined;
  }

  /** What a manager left that ended with an earlier run, as one that was demoted while it was off. */
  async #forgetManager(): Promise<void> {
    await removeManagerState(swarmDir(this.#init.stateDir));
    this.#unlockKey = undefined;
    if (this.#trouble === '') return;
    this.#trouble = '';
    this.#init.onChange();
  }

  /**
   * The certificate changed: a manager is started or ended when its role did. One that the others do
   * not let in yet (a demotion under way, no quorum) is tried again while the role stays.
   */
  async #followRole(): Promise<void> {
    if (this.role === NodeRole.WORKER && this.#manager) return this.#endManager(this.#manager);
    if (this.role === NodeRole.WORKER) return this.#forgetManager();
    await this.#tryToStart(() => ({ type: 'join', remotes: this.#record.managers }));
  }

  async #tryToStart(mode: () => ManagerMode): Promise<void> {
    if (this.role !== NodeRole.MANAGER || this.#manager || this.#leaving) return;
    try {
      // An earlier attempt may have locked its files before it failed.
      const stateDir = swarmDir(this.#init.stateDir);
      const keys = await readManagerKeys(this.#components, stateDir, this.#unlockKey);
      await this.#startManager(mode(), keys);
    } catch (error) {
      const { clock, logger } = this.#components;
      logger.warn({ err: errorMessage(error) }, 'the manager could not start, and is tried again');
      this.#trouble = `the manager of this node could not start, and is tried again: ${errorMessage(error)}`;
      this.#init.onChange();
      clock.setTimer(MANAGER_RETRY_MS, () => this.#enqueue(() => this.#tryToStart(mode)));
    }
  }

  async #remember(managers: readonly string[]): Promise<void> {
    if (managers.length === 0) return;
    this.#record = { ...this.#record, managers };
    await writeNodeRecord(this.#init.stateDir, this.#record);
  }

  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work
      .then(() => (this.#stopped ? undefined : work()))
      .catch((error: unknown) => {
        this.#components.logger.error({ err: errorMessage(error) }, 'the node could not follow');
      });
  }
}
