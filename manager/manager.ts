import { deadline, endsWithin } from '../common/deadline.ts';
import { errorMessage, isSwarmError, SwarmError } from '../common/errors.ts';
import { readStream } from '../common/grpc-stream.ts';
import {
  type LogMessage,
  LogsService,
  type SubscribeLogsMessage,
  type SubscribeLogsRequest,
} from '../proto/gen/swarm/logs.ts';
import { RaftMembershipServiceService as MembershipService } from '../proto/gen/swarm/raft.ts';
import { writeBackup } from './backup/write-backup.ts';
import {
  type ExternalCaComponents,
  formatUnlockKey,
  httpsPost,
  type KeyFile,
  unlockKeyOf,
} from './ca/index.ts';
import type { Consensus, MemberStatus } from './consensus/index.ts';
import {
  type ControlContext,
  forwardingControl,
  LeaderCalls,
  LeaderLink,
  leaderControl,
  routedControl,
} from './control/index.ts';
import { LeaderRole } from './leader-role.ts';
import { waitForLeader, waitForNextLeader } from './leader-wait.ts';
import { LeadershipFollower } from './leadership-follower.ts';
import { LockKeeper } from './lock-keeper.ts';
import type { ManagerComponents, ManagerInit } from './manager-init.ts';
import { createManagerServer } from './manager-server.ts';
import { openConsensus, openManagerKeys, removeManagerState } from './raft-state.ts';
import { callUnary } from './rpc.ts';
import type { RpcListener } from './rpc-server.ts';
import { kinds } from './store/kinds.ts';
import { MemoryStore } from './store/memory-store.ts';
import type { Commit, Kind, ReadTx } from './store/types.ts';
import type { ControlApi, ManagerApi, ManagerStats } from './types.ts';

/** How long a manager that comes back waits for the others before it serves without them. */
const RESTART_WAIT_MS = 5_000;
/** How long one that begins or enters a cluster waits until it serves. */
const ENTRY_WAIT_MS = 30_000;
const LEAVE_TIMEOUT_MS = 10_000;
const STOP_LIMIT_MS = 5_000;

/**
 * One manager: the replicated log and store, the gRPC server of port 2377, and the leader's work
 * while this one leads.
 *
 *   const manager = new Manager(components, { stateDir, listenAddr, advertiseAddr, mode });
 *   await manager.start();
 */
export class Manager implements ManagerApi {
  readonly control: ControlApi;
  readonly #components: ManagerComponents;
  readonly #init: ManagerInit;
  readonly #store: MemoryStore;
  readonly #server: RpcListener;
  readonly #leadership: LeadershipFollower<LeaderRole>;
  readonly #leaderLink: LeaderLink;
  readonly #leaderCalls: LeaderCalls;
  readonly #localControl: ControlApi;
  readonly #forwardingControl: ControlApi;
  readonly #closing = new AbortController();
  #keys: KeyFile | undefined;
  #consensus: Consensus | undefined;
  #lockKeeper: LockKeeper | undefined;
  #failure: SwarmError | undefined;
  #stopped: Promise<void> | undefined;

  constructor(components: ManagerComponents, init: ManagerInit) {
    this.#components = components;
    this.#init = init;
    this.#keys = components.keys;
    const { clock, logger, securityConfig: security, clientOptions } = components;
    this.#store = new MemoryStore({
      clock,
      yieldTurn: components.yieldTurn,
      logger: logger.child({ module: 'store' }),
      proposer: { propose: (data) => this.#running().propose(data) },
    });
    this.#leadership = new LeadershipFollower({
      clock,
      logger,
      createRole: () => this.#createRole(),
    });
    this.#leaderLink = new LeaderLink({ consensus: this, security, clientOptions });
    this.#localControl = leaderControl(this.#controlContext());
    const leader = () => this.#leaderLink.client();
    this.#leaderCalls = new LeaderCalls({ clock, leader });
    this.#forwardingControl = forwardingControl({
      clock,
      calls: this.#leaderCalls,
      store: this.#store,
    });
    this.control = routedControl({ clock, target: () => this.#controlTarget() });
    this.#server = this.#createServer();
  }

  /** What this manager has on disk is locked with it; undefined while it is not locked. */
  get heldUnlockKey(): Uint8Array | undefined {
    return this.#keys?.unlockKey;
  }

  get isLeader(): boolean {
    return this.#consensus?.isLeader ?? false;
  }

  /** Why this manager takes part in Raft no more, although nobody stopped or removed it. */
  get failure(): SwarmError | undefined {
    return this.#failure;
  }

  /**
   * Rejects, with nothing left running: with SWM_FAILED_PRECONDITION when the address is taken, with
   * SWM_PERMISSION_DENIED when the others say that this node is no manager, and with whatever kept a
   * cluster from being begun or entered. After a restart without a quorum it resolves nevertheless,
   * so that the node can be looked at and recovered.
   */
  async start(): Promise<void> {
    try {
      const { signal } = this.#closing;
      this.#keys ??= await openManagerKeys(this.#components, this.#init, signal);
      // Before it joins: the leader looks whether somebody answers here.
      await this.#server.listen(this.#init.listenAddr);
      const components = { ...this.#components, stateMachine: this.#store, keys: this.#keys };
      const onFailure = (error: SwarmError) => this.#onFailure(error);
      const consensus = await openConsensus(components, this.#init, signal, onFailure);
      if (this.#closing.signal.aborted) {
        // Stopped in the meantime, when this was not there to be stopped.
        await consensus.stop();
        throw this.#closing.signal.reason;
      }
      this.#consensus = consensus;
      consensus.onLeadership((leads) => this.#leadership.follow(leads));
      consensus.onMembers(() => this.#leaderCalls.follow());
      this.#store.subscribe((commit) => this.#followSnapshotPolicy(consensus, commit));
      await consensus.start();
      this.#lockKeeper = this.#newLockKeeper(consensus, this.#keys);
      await this.#lockKeeper.start();
      await this.#serving(consensus);
    } catch (error) {
      await this.stop();
      // Its log is of no use: the next start enters anew, if this node is to be a manager.
      if (isSwarmError(error, 'SWM_NOT_MANAGER')) await this.discardState();
      throw error;
    }
  }

  /** Hands leadership over, and ends within 8 seconds. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Removes the log and its keys, after which the TLS key must be readable without them. */
  async discardState(): Promise<void> {
    await this.#components.securityConfig.encryptKey(undefined);
    await removeManagerState(this.#init.stateDir, this.#components.files);
  }

  leader(): MemberStatus | undefined {
    return this.#consensus?.leader();
  }

  members(): readonly MemberStatus[] {
    return this.#consensus?.members() ?? [];
  }

  confirmRemoval(raftId: number): Promise<void> {
    return this.#running().confirmRemoval(raftId);
  }

  stats(): ManagerStats | undefined {
    const stats = this.#consensus?.stats();
    if (!stats) return undefined;
    const count = (tx: ReadTx) => Object.fromEntries(kinds.map((kind) => [kind, tx.count(kind)]));
    return { ...stats, objects: this.#store.view(count) as Record<Kind, number> };
  }

  async read<T>(view: (tx: ReadTx) => T, signal?: AbortSignal): Promise<T> {
    await this.#running().readIndex(signal);
    return this.#store.view(view);
  }

  readLocal<T>(view: (tx: ReadTx) => T): T {
    return this.#store.view(view);
  }

  subscribe(listener: (commit: Commit) => void): () => void {
    return this.#store.subscribe(listener);
  }

  async *subscribeLogs(
    request: SubscribeLogsRequest,
    signal: AbortSignal,
  ): AsyncGenerator<LogMessage> {
    const ending = AbortSignal.any([signal, this.#closing.signal]);
    await waitForNextLeader({ ...this.#components, consensus: this.#running() }, ending);
    for await (const { messages } of await this.#logSource(request, ending)) yield* messages;
  }

  /** '' while managers are not locked. */
  async unlockKey(): Promise<string> {
    const { clusterId } = this.#components.securityConfig.identity;
    const cluster = await this.read((tx) => tx.get('cluster', clusterId));
    const key = cluster && unlockKeyOf(cluster);
    if (!key) return '';
    this.#lockKeeper?.told(key);
    return formatUnlockKey(key);
  }

  async backup(options: { readonly local: boolean }): Promise<AsyncIterable<Buffer>> {
    const consensus = this.#running();
    const keys = this.#keys as KeyFile;
    if (!options.local) await consensus.readIndex();
    return writeBackup({ ...this.#components, store: this.#store, consensus, keys });
  }

  async leaveRaft(force: boolean): Promise<void> {
    const consensus = this.#running();
    // The last one takes the cluster with it.
    if (consensus.members().length <= 1) return;
    try {
      if (consensus.isLeader) await consensus.removeMember(consensus.raftId);
      else await this.#askToLeave();
    } catch (error) {
      if (!force) throw error;
      const details = { err: errorMessage(error) };
      this.#components.logger.warn(details, 'left the managers without their consent');
    }
  }

  /** The state of the Raft core, for people. */
  describe(): string {
    return this.#running().describe();
  }

  async #logSource(
    request: SubscribeLogsRequest,
    signal: AbortSignal,
  ): Promise<AsyncIterable<SubscribeLogsMessage>> {
    if (this.isLeader) {
      await this.#leadership.started(signal);
      const broker = this.#leadership.role?.logBroker;
      if (broker) return broker.subscribe(request, signal);
    }
    const { path, requestSerialize, responseDeserialize } = LogsService.subscribeLogs;
    const client = this.#leaderLink.client();
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    return readStream(call, signal);
  }

  async #askToLeave(): Promise<void> {
    const { signal } = this.#closing;
    const { clock } = this.#components;
    const options = { timeoutMs: LEAVE_TIMEOUT_MS, signal, clock };
    await callUnary(this.#leaderLink.client(), MembershipService.leave, {}, options);
  }

  async #stop(): Promise<void> {
    this.#closing.abort(new SwarmError('SWM_UNAVAILABLE', 'This manager is stopping.'));
    await this.#lockKeeper?.stop();
    await this.#consensus?.stop();
    await this.#stopLeading();
    this.#leaderCalls.close();
    this.#leaderLink.close();
    await this.#server.stop();
  }

  /** Nothing of the leader's can be written any more, so what hangs is left to end by itself. */
  async #stopLeading(): Promise<void> {
    const { clock, logger } = this.#components;
    if (await endsWithin(clock, STOP_LIMIT_MS, this.#leadership.stop())) return;
    logger.error('the role of the leader did not stop in time');
  }

  #running(): Consensus {
    if (this.#consensus) return this.#consensus;
    throw new SwarmError('SWM_UNAVAILABLE', 'This manager is being prepared.');
  }

  #onFailure(error: SwarmError): void {
    this.#failure = error;
    this.#components.logger.error({ err: error }, 'this manager cannot go on');
    this.#init.onFailed?.();
  }

  /** Waits until this manager can be asked and told. */
  async #serving(consensus: Consensus): Promise<void> {
    const { mode } = this.#init;
    const waitMs = mode.type === 'restart' ? RESTART_WAIT_MS : ENTRY_WAIT_MS;
    const { clock, logger } = this.#components;
    const limit = deadline(clock, waitMs, this.#closing.signal);
    try {
      if (mode.type === 'bootstrap' || mode.type === 'force-new-cluster') {
        return await this.#leadership.started(limit.signal);
      }
      await waitForLeader({ clock, consensus }, waitMs, this.#closing.signal);
      if (consensus.isLeader) await this.#leadership.started(limit.signal);
      else await consensus.readIndex(limit.signal);
    } catch (error) {
      if (mode.type !== 'restart' || this.#closing.signal.aborted) throw error;
      const details = { err: errorMessage(error) };
      logger.warn(details, 'this manager is back, and without a leader so far');
    } finally {
      limit.cancel();
    }
  }

  #newLockKeeper(consensus: Consensus, keys: KeyFile): LockKeeper {
    const { logger, securityConfig } = this.#components;
    const components = {
      ...this.#components,
      logger: logger.child({ module: 'lock' }),
      store: this.#store,
      keys,
      consensus,
    };
    return new LockKeeper(components, { clusterId: securityConfig.identity.clusterId });
  }

  #createRole(): LeaderRole {
    const { mode } = this.#init;
    const bootstrap = mode.type === 'bootstrap' ? mode : undefined;
    const components = {
      ...this.#components,
      store: this.#store,
      consensus: this.#running(),
      external: this.#external(),
      control: this.#localControl,
    };
    return new LeaderRole(components, { bootstrap });
  }

  async #controlTarget(): Promise<ControlApi> {
    const consensus = this.#running();
    if (this.#failure) throw this.#failure;
    await waitForNextLeader({ ...this.#components, consensus }, this.#closing.signal);
    return consensus.isLeader ? this.#localControl : this.#forwardingControl;
  }

  #controlContext(): ControlContext {
    const { clock, random, securityConfig } = this.#components;
    const { clusterId } = securityConfig.identity;
    const external = this.#external();
    return { store: this.#store, members: this, clock, random, clusterId, external };
  }

  #external(): ExternalCaComponents {
    const { securityConfig } = this.#components;
    return { post: httpsPost, tls: () => securityConfig.copy(undefined) };
  }

  #createServer(): RpcListener {
    return createManagerServer({
      ...this.#components,
      store: this.#store,
      consensus: () => this.#consensus,
      role: () => this.#leadership.role,
      control: this.#localControl,
      controlContext: this.#controlContext(),
      isLeader: () => this.isLeader,
      leader: () => this.#leaderLink.client(),
      identity: () => this.#components.securityConfig.identity,
    });
  }

  #followSnapshotPolicy(consensus: Consensus, { changes, restored }: Commit): void {
    if (!restored && !changes.some(({ kind }) => kind === 'cluster')) return;
    const { clusterId } = this.#components.securityConfig.identity;
    const raft = this.#store.view((tx) => tx.get('cluster', clusterId))?.spec?.raft;
    if (!raft?.snapshotInterval) return;
    consensus.setSnapshotPolicy({
      interval: raft.snapshotInterval,
      keep: raft.logEntriesForSlowFollowers,
    });
  }
}
