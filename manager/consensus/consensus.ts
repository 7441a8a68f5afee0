import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  describeStatus,
  type Entry,
  type Message,
  MessageType,
  type SoftState,
  StateType,
} from 'raft-ts';
import { errorMessage, isSwarmError, SwarmError } from '../../common/errors.ts';
import type { Startable } from '../../common/startable.ts';
import type { RaftMember, RaftMembership } from '../../proto/gen/swarm/raft.ts';
import { AddressAnnouncer } from './address-announcer.ts';
import * as defaults from './constants.ts';
import { coreConfig } from './core-config.ts';
import { Failover } from './failover.ts';
import type { ConsensusComponents, ConsensusInit } from './init.ts';
import { announceAddress, checkHealth, leave } from './leader-client.ts';
import { LeaderWatch } from './leader-watch.ts';
import { Leadership } from './leadership.ts';
import { bootLog, changeOf } from './log-boot.ts';
import { LogDisk } from './log-disk.ts';
import type { SnapshotManifest, StoredLog } from './log-records.ts';
import { LogTail } from './log-tail.ts';
import { type AddRequest, MemberChanges } from './member-changes.ts';
import { MembersView } from './members-view.ts';
import { Membership } from './membership.ts';
import { PeerGate } from './peer-gate.ts';
import { Proposals } from './proposals.ts';
import { RaftLoop } from './raft-loop.ts';
import { noLeader, Reads } from './reads.ts';
import { SnapshotExchange } from './snapshot-exchange.ts';
import { SnapshotStore } from './snapshot-store.ts';
import { type SnapshotPolicy, Snapshotter } from './snapshotter.ts';
import { Ticker } from './ticker.ts';
import { Transfer } from './transfer.ts';
import { Transport } from './transport.ts';
import type { ConsensusApi, MemberStatus, Proposal } from './types.ts';
import { Vault } from './vault.ts';

/**
 * One manager's part in the replicated log: drives the Raft core on a durable log and gRPC streams,
 * and tells the rest of the manager what it may rely on (see `ConsensusApi`).
 *
 *   const consensus = await Consensus.open(components, { dir, nodeId, addr, bootstrap: true });
 *   await consensus.start();
 */
export class Consensus implements ConsensusApi, Startable {
  readonly raftId: number;
  /** For the gRPC services: what peers send. */
  readonly peers: PeerGate;
  readonly #components: ConsensusComponents;
  readonly #init: ConsensusInit;
  readonly #disk: LogDisk;
  readonly #tail: LogTail;
  readonly #membership: Membership;
  readonly #snapshots: SnapshotStore;
  readonly #snapshotter: Snapshotter;
  readonly #exchange: SnapshotExchange;
  readonly #loop: RaftLoop;
  readonly #transport: Transport;
  readonly #leaderWatch: LeaderWatch;
  readonly #announcer: AddressAnnouncer;
  readonly #leadership: Leadership;
  readonly #proposals = new Proposals();
  readonly #reads: Reads;
  readonly #changes: MemberChanges;
  readonly #view: MembersView;
  readonly #transfer: Transfer;
  readonly #failover: Failover;
  readonly #ticker: Ticker;
  readonly #closing = new AbortController();
  #ticks = 0;
  #lastChangeIndex = 0;
  #failure: SwarmError | undefined;

  /**
   * Opens the log in `init.dir`, or begins one as `init` says. Nothing runs before `start`. Rejects
   * with SWM_FAILED_PRECONDITION when there is none and none is to be begun, SWM_LOCKED without the
   * right key, SWM_INTERNAL when it is damaged.
   */
  static async open(components: ConsensusComponents, init: ConsensusInit): Promise<Consensus> {
    const vault = new Vault(components);
    const disk = new LogDisk({ vault }, { dir: init.dir });
    const log = await bootLog({ disk, random: components.random }, init);
    return new Consensus(components, init, disk, log);
  }

  private constructor(
    components: ConsensusComponents,
    init: ConsensusInit,
    disk: LogDisk,
    log: StoredLog,
  ) {
    this.#components = components;
    this.#init = init;
    this.#disk = disk;
    this.raftId = log.identity.raftId;
    this.#tail = new LogTail(log);
    this.#membership = new Membership(log.snapshot?.membership ?? log.identity.joined);
    this.#snapshots = new SnapshotStore({ ...components, disk });
    this.#leadership = new Leadership(components, { onLost: () => this.#onLeadershipLost() });
    const tickMs = init.tickMs ?? defaults.TICK_MS;
    // An election may take up to twice the election timeout; a leader is missed only after that.
    const patienceMs = 2 * this.#electionTicks * tickMs;
    this.#leaderWatch = new LeaderWatch(components, { patienceMs });
    this.#reads = this.#newReads();
    this.#loop = this.#newLoop();
    this.#transport = this.#newTransport();
    this.#view = new MembersView(
      { ...components, membership: this.#membership },
      {
        selfId: this.raftId,
        leaderId: () => this.#loop.lead,
        isRaftLeader: () => this.#loop.isRaftLeader,
        isUp: (id) => this.#transport.isUp(id),
      },
    );
    this.#changes = this.#newChanges();
    this.#snapshotter = this.#newSnapshotter();
    this.#exchange = this.#newExchange();
    this.#transfer = new Transfer({
      selfId: this.raftId,
      isRaftLeader: () => this.#loop.isRaftLeader,
      status: () => this.#loop.status(),
      isReachable: (id) => this.#view.isReachable(id),
      transferLeader: (to) => this.#loop.transferLeader(to),
    });
    this.#failover = new Failover(components, {
      selfId: this.raftId,
      leaderId: () => this.#loop.lead,
      voters: () => this.#loop.confState.voters,
      forgetLeader: () => this.#loop.forgetLeader(),
      campaign: () => this.#loop.campaign(),
    });
    this.#announcer = this.#newAnnouncer();
    const parts = {
      membership: this.#membership,
      view: this.#view,
      transport: this.#transport,
      loop: this.#loop,
      exchange: this.#exchange,
    };
    this.peers = new PeerGate(parts, { raftId: this.raftId });
    this.#ticker = new Ticker(components.clock, tickMs, () => this.#onTick());
  }

  /** Resolves once the state machine has what was committed here before. Needs no other manager. */
  async start(): Promise<void> {
    const { manifest } = this.#tail;
    const { stateMachine } = this.#components;
    if (manifest) await stateMachine.restore(manifest.index, this.#snapshots.pieces(manifest));
    this.#followMembership();
    const { commit } = this.#tail.initialState().hardState;
    this.#loop.turn();
    while (this.#loop.appliedIndex < commit && !this.#failure) await nextTurn();
    if (this.#failure) throw this.#failure;
    const { voters } = this.#loop.confState;
    if (voters.length === 1 && voters[0] === this.raftId) this.#loop.campaign();
    this.#ticker.start();
  }

  /** Hands over leadership first if somebody can take it. */
  async stop(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    if (this.#leadership.isLeader && this.#loop.confState.voters.length > 1) {
      await this.#transfer.start(AbortSignal.timeout(1000)).catch(() => undefined);
    }
    await this.abandon();
  }

  /** Ends everything as a crash would: nothing is handed over, and nobody is told. */
  async abandon(): Promise<void> {
    const stopped = new SwarmError('SWM_UNAVAILABLE', 'This manager is stopping.');
    this.#failure ??= stopped;
    this.#closing.abort(stopped);
    this.#silence(stopped);
    await this.#loop.stop();
    await this.#disk.close();
  }

  get isLeader(): boolean {
    return this.#leadership.isLeader;
  }

  /** The highest index the state machine has applied. */
  get appliedIndex(): number {
    return this.#loop.appliedIndex;
  }

  propose(data: Uint8Array): Proposal {
    this.#checkLeader();
    if (data.length > defaults.PROPOSAL_BYTES_MAX) {
      const message = `A change of ${data.length} bytes is above the limit of ${defaults.PROPOSAL_BYTES_MAX}.`;
      throw new SwarmError('SWM_RESOURCE_EXHAUSTED', message);
    }
    if (this.#proposals.bytes + data.length > defaults.UNCOMMITTED_BYTES_MAX) {
      const message = `${this.#proposals.bytes} bytes of changes wait to be replicated already.`;
      throw new SwarmError('SWM_RESOURCE_EXHAUSTED', message, { hint: 'Try again later.' });
    }
    const index = this.#loop.propose(data);
    return { index, committed: this.#proposals.add(index, data.length) };
  }

  leader(): MemberStatus | undefined {
    return this.#view.leader();
  }

  members(): readonly MemberStatus[] {
    return this.#view.all();
  }

  onLeadership(listener: (isLeader: boolean) => void): () => void {
    return this.#leadership.listen(listener);
  }

  onMembers(listener: () => void): () => void {
    return this.#view.listen(listener);
  }

  readIndex(signal?: AbortSignal): Promise<number> {
    if (this.#failure) return Promise.reject(this.#failure);
    return this.#reads.read(signal);
  }

  addMember(request: AddRequest): Promise<RaftMember> {
    return this.#changes.add(request);
  }

  async removeMember(raftId: number): Promise<void> {
    this.#checkLeader();
    if (raftId !== this.raftId) return this.#changes.remove(raftId);
    await this.#transfer.start();
    const leader = await this.#nextLeader();
    await leave(this.#components, leader);
  }

  async transferLeadership(signal?: AbortSignal): Promise<void> {
    this.#checkLeader();
    await this.#transfer.start(signal);
  }

  setSnapshotPolicy(policy: SnapshotPolicy): void {
    this.#snapshotter.setPolicy(policy);
  }

  /**
   * Seals everything on disk with the current key of the key ring. When it resolves, the older keys
   * are not needed any more.
   */
  rotateKeys(): Promise<void> {
    return this.#loop.exclusive(() => this.#disk.reseal());
  }

  /** The state of the core, for people. */
  describe(): string {
    return describeStatus(this.#loop.status());
  }

  membership(): RaftMembership {
    return this.#membership.record();
  }

  // Composition.

  #newReads(): Reads {
    return new Reads(this.#components, {
      request: (ctx) => this.#loop.readIndex(ctx),
      isLeaderless: () => this.#leaderWatch.isLeaderless,
      wake: () => this.#loop.schedule(),
      appliedIndex: () => this.#loop.appliedIndex,
    });
  }

  #newLoop(): RaftLoop {
    const components = { ...this.#components, disk: this.#disk, tail: this.#tail };
    return new RaftLoop(components, coreConfig(this.#components, this.#init, this.raftId), {
      turn: () => this.#onTurn(),
      send: (message) => this.#send(message),
      flush: () => this.#transport.flush(),
      role: (state, term, lastIndex) => this.#onRole(state, term, lastIndex),
      apply: (index, data) => this.#components.stateMachine.apply(index, data),
      changed: (entry) => this.#onChange(entry),
      applied: (index) => this.#onApplied(index),
      readState: ({ requestCtx, index }) => this.#reads.answered(requestCtx, index),
      dropped: () => this.#leadership.lost(),
      manifestOf: (message) => this.#exchange.adopt(message),
      restore: (manifest) => this.#restore(manifest),
      failed: (error) => this.#fail(error),
    });
  }

  #newTransport(): Transport {
    return new Transport(this.#components, {
      self: { raftId: this.raftId, addr: this.#init.addr },
      events: {
        reachability: () => this.#view.refresh(),
        unreachable: (id) => this.#loop.reportUnreachable(id),
        refused: (id) => this.#failover.refused(id),
        removed: () => this.#onRemoved(),
      },
    });
  }

  #newChanges(): MemberChanges {
    const { nodeId, addr } = this.#init;
    return new MemberChanges(
      { ...this.#components, membership: this.#membership },
      {
        self: { raftId: this.raftId, nodeId, addr },
        checkLeader: () => this.#checkLeader(),
        status: () => this.#loop.status(),
        isReachable: (id) => this.#view.isReachable(id),
        propose: (change) => {
          const index = this.#loop.proposeConfChange(change);
          return { index, applied: this.#proposals.add(index, 0) };
        },
        checkHealth: (member) => checkHealth(this.#components, member),
        tookEffect: (index) => this.#lastChangeIndex === index,
      },
    );
  }

  #newSnapshotter(): Snapshotter {
    const components = {
      ...this.#components,
      disk: this.#disk,
      tail: this.#tail,
      snapshots: this.#snapshots,
    };
    return new Snapshotter(components, {
      policy: this.#init.snapshotPolicy ?? defaults.SNAPSHOT_POLICY,
      exclusive: (job) => this.#loop.exclusive(job),
      neededFrom: () => this.#neededFrom(),
      failed: (error) => this.#fail(error),
    });
  }

  #newExchange(): SnapshotExchange {
    const components = { ...this.#components, tail: this.#tail, snapshots: this.#snapshots };
    return new SnapshotExchange(components, {
      selfAddr: this.#init.addr,
      placeOf: (id) => this.#transport.placeOf(id),
      report: (id, ok) => this.#loop.reportSnapshot(id, ok),
      step: (message) => {
        this.#loop.step(message);
        this.#loop.turn();
      },
      signal: this.#closing.signal,
    });
  }

  #newAnnouncer(): AddressAnnouncer {
    return new AddressAnnouncer(this.#components, {
      addr: this.#init.addr,
      self: () => this.#membership.get(this.raftId),
      leader: () => this.#view.leader(),
      announce: (leader, moved) =>
        leader.self
          ? this.addMember(moved)
          : announceAddress(this.#components, leader, { raftId: this.raftId, addr: moved.addr }),
    });
  }

  // What happens.

  #onTurn(): void {
    this.#reads.pump();
    if (this.#tail.takeSnapshotWanted()) this.#takeSnapshot();
  }

  #onTick(): void {
    this.#ticks++;
    this.#loop.tick();
    this.#reads.tick();
    this.#transfer.check();
    this.#view.refresh();
    if (this.#leadership.isLeader) this.#changes.promote();
    if (this.#ticks % this.#electionTicks !== 0) return;
    this.#announcer.check();
    const { fault } = this.#loop.status();
    if (fault) this.#fail(new Error(fault));
  }

  #onRole(state: SoftState, term: number, lastIndex: number): void {
    if (state.raftState === StateType.Leader) this.#leadership.elected(term, lastIndex);
    else this.#leadership.lost();
    this.#leaderWatch.set(state.lead);
    this.#transfer.check();
    this.#view.refresh();
  }

  #onLeadershipLost(): void {
    this.#components.stateMachine.discardProposals();
    const message = 'This manager lost leadership before the change was known to be committed.';
    this.#proposals.rejectAll(
      new SwarmError('SWM_UNAVAILABLE', message, {
        hint: 'The change may or may not have been made: look before you try again.',
      }),
    );
  }

  #onApplied(index: number): void {
    this.#leadership.applied(index);
    this.#proposals.applied(index);
    this.#reads.applied(index);
    if (this.#snapshotter.isDue(index)) this.#takeSnapshot();
  }

  #takeSnapshot(): void {
    const { appliedIndex: index, appliedTerm: term, confState } = this.#loop;
    this.#snapshotter.take({ index, term, confState, membership: this.#membership.record() });
  }

  #onChange(entry: Entry): void {
    this.#lastChangeIndex = entry.index;
    this.#tail.setChangedAt(entry.index);
    const { change, member } = changeOf(entry);
    for (const each of change.changes) this.#membership.apply(each, member);
    this.#followMembership();
    for (const each of change.changes) {
      if (!this.#membership.isRemoved(each.nodeId)) continue;
      this.peers.dismiss(each.nodeId);
      if (each.nodeId === this.raftId) this.#onRemoved();
    }
  }

  async #restore(manifest: SnapshotManifest): Promise<void> {
    const { stateMachine, logger } = this.#components;
    logger.info({ index: manifest.index, bytes: manifest.bytes }, 'loading snapshot of the leader');
    await stateMachine.restore(manifest.index, this.#snapshots.pieces(manifest));
    this.#membership.restore(manifest.membership);
    this.#followMembership();
    await this.#snapshots.collect(manifest.id);
  }

  #followMembership(): void {
    const { all, isRemoved } = this.#membership;
    this.#transport.setMembers(all.call(this.#membership), isRemoved.bind(this.#membership));
    this.#view.refresh();
  }

  #send(message: Message): void {
    if (message.type === MessageType.Snap) this.#exchange.send(message);
    else this.#transport.send(message);
  }

  #onRemoved(): void {
    if (this.#failure) return;
    const message = 'This node is no manager any more: it was removed from the Raft members.';
    this.#failure = new SwarmError('SWM_NOT_MANAGER', message);
    this.#components.logger.warn({ raftId: this.raftId }, 'removed from the raft members');
    this.#silence(this.#failure);
    this.#init.onRemoved?.();
  }

  /** From here on this manager neither votes nor acknowledges, and says so. */
  #fail(error: unknown): void {
    if (this.#failure) return;
    const reason = isSwarmError(error) ? error.message : errorMessage(error);
    const message = `This manager takes no part in Raft any more: ${reason}`;
    this.#failure = new SwarmError('SWM_UNAVAILABLE', message, {
      hint: `Look at the disk that holds ${this.#init.dir}, then start the manager again.`,
      cause: error,
    });
    this.#components.logger.error({ err: error }, 'raft failed');
    this.#silence(this.#failure);
    this.#init.onFailure?.(this.#failure);
  }

  #silence(reason: SwarmError): void {
    this.#ticker.stop();
    this.#failover.stop();
    this.#loop.halt();
    this.#leadership.lost();
    this.#reads.close(reason);
    this.#transport.close();
    this.peers.close(reason);
  }

  // Helpers.

  get #electionTicks(): number {
    return this.#init.electionTicks ?? defaults.ELECTION_TICKS;
  }

  #checkLeader(): void {
    if (this.#failure) throw this.#failure;
    if (this.#leadership.isLeader && !this.#transfer.active) return;
    const leader = this.#view.leader();
    const where = leader ? `The leader is at ${leader.addr}.` : 'There is no leader now.';
    throw new SwarmError('SWM_NOT_LEADER', `This manager is not the leader. ${where}`);
  }

  async #nextLeader(): Promise<MemberStatus> {
    await this.readIndex();
    const leader = this.#view.leader();
    if (!leader) throw noLeader();
    return leader;
  }

  /** What followers that keep up, or have just got a snapshot, will ask for next. */
  #neededFrom(): number {
    const active = this.#loop
      .status()
      .progress.filter(({ id }) => id !== this.raftId && this.#view.isReachable(id))
      .map(({ match }) => match + 1);
    return Math.min(this.#exchange.lowestIndex + 1, ...active);
  }
}
