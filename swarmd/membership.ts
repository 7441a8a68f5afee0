import type { Clock, Timer } from '../common/clock.ts';
import { errorMessage } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Random } from '../common/random.ts';
import type { Pacing } from '../common/slices.ts';
import type { KeyFile, Manager, ManagerMode, SecurityConfig } from '../manager/index.ts';
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
import { ManagerKeeper } from './manager-keeper.ts';
import { describeNode } from './node-description.ts';
import { gossipKey, type NodeRecord, swarmDir, tasksDir, writeNodeRecord } from './node-files.ts';
import { WorkQueue } from './work-queue.ts';

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
 * One node's life in one swarm: certificate, gossip, agent, and the keeper of the manager that it has
 * while the certificate's role says so.
 */
export class Membership {
  readonly #components: MembershipComponents;
  readonly #init: MembershipInit;
  readonly securityConfig: SecurityConfig;
  readonly #keeper: ManagerKeeper;
  /** What the managers say of this node is applied one after the other. */
  readonly #queue: WorkQueue;
  #record: NodeRecord;
  #agent: AgentApi | undefined;
  #unsubscribe: (() => void)[] = [];
  #refusal = '';
  #describing: Timer | undefined;

  constructor(components: MembershipComponents, init: MembershipInit) {
    this.#components = components;
    this.#init = init;
    this.#record = init.record;
    this.securityConfig = init.securityConfig;
    this.#queue = new WorkQueue(components);
    const { clock, random, logger, netdriver: gossip, yieldTurn, onProposed } = components;
    const { securityConfig, keys, onChange } = init;
    this.#keeper = new ManagerKeeper(
      { clock, random, logger, gossip, yieldTurn, onProposed, securityConfig },
      { stateDir: swarmDir(init.stateDir), record: () => this.#record, keys, onChange },
    );
  }

  get nodeId(): string {
    return this.securityConfig.identity.nodeId;
  }

  get role(): NodeRole {
    return this.securityConfig.identity.role;
  }

  get manager(): Manager | undefined {
    return this.#keeper.manager;
  }

  /** What a restart of the manager needs; undefined while it is not locked. */
  get unlockKey(): Uint8Array | undefined {
    return this.#keeper.unlockKey;
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
    return this.manager ? [dialable(listenAddr), ...managers] : managers;
  }

  /** Why managers and this node do not come together, or its manager not up; '' while all is well. */
  get trouble(): string {
    return this.#refusal || this.#expiry() || this.#keeper.trouble;
  }

  /** Starts everything; resolves without waiting for the first session. */
  async start(): Promise<void> {
    const { engine } = this.#components;
    const seed = await gossipKey(this.#init.stateDir, () => this.#components.random.bytes(32));
    await this.#joinGossip(seed);
    await this.securityConfig.start();
    await this.#keeper.start(this.#init.managerMode);
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
    return this.#queue.run(() => writeNodeRecord(this.#init.stateDir, this.#record));
  }

  /** The daemon ends, the membership does not: containers and networks stay as they are. */
  async stop(): Promise<void> {
    await this.#halt();
    await this.#agent?.stop({ leave: false });
    await this.#keeper.stop();
    await this.securityConfig.stop();
  }

  /** Leaves the swarm. What is on disk is the caller's to remove. */
  async leave(force: boolean): Promise<void> {
    await this.#keeper.leaveRaft(force).catch((error: unknown) => {
      if (!force) throw error;
      const details = { err: errorMessage(error) };
      this.#components.logger.warn(details, 'left without the consent of the other managers');
    });
    await this.#halt();
    await this.#agent?.stop({ leave: true });
    await this.#keeper.stop();
    await this.securityConfig.stop();
    await this.#components.netdriver.leaveSwarm();
  }

  async #halt(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#describing?.cancel();
    this.#components.engine.setSwarmAttacher(undefined);
    await Promise.all([this.#queue.close(), this.#keeper.close()]);
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
        localManager: () => (this.manager ? dialable(this.#record.listenAddr) : undefined),
        onRefused: (reason) => this.#onRefused(reason),
        onPeers: (peers) => this.#queue.add(() => this.#remember(peers.map((peer) => peer.addr))),
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
    this.#queue.add(() => this.securityConfig.trustRoots(state.rootCa));
    const { node } = state;
    if (!node) return;
    this.#queue.add(() => netdriver.setNodeAttachments(node.attachments));
    if (node.role !== this.role) this.#queue.add(() => this.#renewForRole(node.role));
    else if (node.certificate?.status?.state === IssuanceState.ROTATE) {
      this.#queue.add(async () => this.securityConfig.requestRenewal());
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
    this.#keeper.followRole();
    // Roots and certificate often change one after the other, and each telling is a registration.
    this.#describing?.cancel();
    this.#describing = this.#components.clock.setTimer(DESCRIBE_AFTER_MS, () =>
      this.#queue.add(async () => this.#agent?.describe(await this.#describe(seed))),
    );
  }

  async #renewForRole(role: NodeRole): Promise<void> {
    if (role !== this.role) await this.securityConfig.renew();
  }

  async #remember(managers: readonly string[]): Promise<void> {
    if (managers.length === 0) return;
    this.#record = { ...this.#record, managers };
    await writeNodeRecord(this.#init.stateDir, this.#record);
  }
}
