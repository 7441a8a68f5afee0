import { describeStatus, type SoftState, StateType } from 'raft-ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import type { Startable } from '../../common/startable.ts';
import type { RaftMember, RaftMembership } from '../../proto/gen/swarm/raft.ts';
import { AddressAnnouncer } from './address-announcer.ts';
import * as defaults from './constants.ts';
import type { ConsensusComponents, ConsensusInit } from './init.ts';
import { announceAddress, checkHealth, leave } from './leader-client.ts';
import { LeaderWatch } from './leader-watch.ts';
import { Leadership } from './leadership.ts';
import { bootLog } from './log-boot.ts';
import { LogDisk } from './log-disk.ts';
import type { StoredLog } from './log-records.ts';
import { type AddRequest, MemberChanges } from './member-changes.ts';
import type { PeerGate } from './peer-gate.ts';
import { Proposals } from './proposals.ts';
import { noLeader, Reads } from './reads.ts';
import { Replica } from './replica.ts';
import type { Capture, SnapshotPolicy } from './snapshotter.ts';
import { Ticker } from './ticker.ts';
import { Transfer } from './transfer.ts';
import type { ConsensusApi, ConsensusStats, MemberStatus, Proposal } from './types.ts';
import { Vault } from './vault.ts';

/**
 * One manager's part in the replicated log: drives the Raft core on a durable log and gRPC streams,
 * and tells the rest of the manager what it may rely on (see `ConsensusApi`).
 *
 *   const consensus = await Consensus.open(components, { dir, nodeId, addr, bootstrap: true });
 *   await consensus.start();
 */
export class Consensus implements ConsensusApi, Startable {
  readonly #components: ConsensusComponents;
  readonly #init: ConsensusInit;
  readonly #replica: Replica;
  readonly #leaderWatch: LeaderWatch;
  readonly #leadership: Leadership;
  readonly #proposals: Proposals;
  readonly #reads: Reads;
  readonly #changes: MemberChanges;
  readonly #transfer: Transfer;
  readonly #announcer: AddressAnnouncer;
  readonly #ticker: Ticker;
  #ticks = 0;
  #stopping: Promise<void> | undefined;
  /** Why this manager takes no part any more, if so. */
  #ended: SwarmError | undefined;
  /** Its disk failed, and since nobody else has a vote, what it has applied is all that there is. */
  #readsAlone = false;

  /**
   * Opens the log in `init.dir`, or begins one as `init` says. Nothing runs before `start`. Rejects
   * with SWM_FAILED_PRECONDITION when there is none and none is to be begun, SWM_LOCKED without the
   * right key, SWM_DAMAGED when it is damaged.
   */
  static async open(components: ConsensusComponents, init: ConsensusInit): Promise<Consensus> {
    const vault = new Vault(components);
    const disk = new LogDisk({ vault, openLogDb: components.openLogDb }, { dir: init.dir });
    const log = await bootLog({ disk, random: components.random }, init);
    return new Consensus(components, init, { disk, log });
  }

  private constructor(
    components: ConsensusComponents,
    init: ConsensusInit,
    stored: { readonly disk: LogDisk; readonly log: StoredLog },
  ) {
    this.#components = components;
    this.#init = init;
    this.#proposals = new Proposals(components);
    // An election may take up to twice the election timeout; a leader is missed only after that.
    const patienceMs = 2 * defaults.electionMs(init);
    this.#leaderWatch = new LeaderWatch(components, { patienceMs });
    this.#leadership = new Leadership(components, { onLost: () => this.#onLeadershipLost() });
    this.#reads = this.#newReads();
    this.#replica = this.#newReplica(stored);
    this.#changes = this.#newChanges();
    this.#transfer = new Transfer({
      selfId: this.raftId,
      isRaftLeader: () => this.#replica.loop.isRaftLeader,
      status: () => this.#replica.loop.status(),
      isReachable: (id) => this.#replica.view.isReachable(id),
      transferLeader: (to) => this.#replica.loop.transferLeader(to),
    });
    this.#announcer = this.#newAnnouncer();
    const tickMs = init.tickMs ?? defaults.TICK_MS;
    this.#ticker = new Ticker(components.clock, tickMs, () => this.#onTick());
  }

  /** Resolves once the state machine has what was committed here before. Needs no other manager. */
  async start(): Promise<void> {
    await this.#replica.load(() => this.#ended !== undefined);
    if (this.#ended) throw this.#ended;
    const { loop } = this.#replica;
    const { voters } = loop.confState;
    if (voters.length === 1 && voters[0] === this.raftId) loop.campaign();
    this.#ticker.start();
  }

  /** Hands over leadership first if somebody can take it. */
  stop(): Promise<void> {
    this.#stopping ??= this.#handOver().then(() => this.#close());
    return this.#stopping;
  }

  /** Ends everything as a crash would: nothing is handed over. */
  abandon(): Promise<void> {
    this.#stopping ??= this.#close();
    return this.#stopping;
  }

  get raftId(): number {
    return this.#replica.raftId;
  }

  get isLeader(): boolean {
    return this.#leadership.isLeader;
  }

  /** The highest index the state machine has applied. */
  get appliedIndex(): number {
    return this.#replica.loop.appliedIndex;
  }

  /** For the gRPC services: what peers send. */
  get peers(): PeerGate {
    return this.#replica.peers;
  }

  propose(data: Uint8Array): Proposal {
    this.#checkLeader();
    this.#proposals.checkRoom(data.length);
    const index = this.#replica.loop.propose(data);
    return { index, committed: this.#proposals.add(index, data.length) };
  }

  leader(): MemberStatus | undefined {
    return this.#replica.view.leader();
  }

  members(): readonly MemberStatus[] {
    return this.#replica.view.all();
  }

  /** How long there has been no leader, as far as this manager knows; 0 while there is one. */
  get leaderlessMs(): number {
    return this.#leaderWatch.leaderlessMs;
  }

  /** The members and the ids of removed ones, as the log has them. */
  membership(): RaftMembership {
    return this.#replica.membership.record();
  }

  onLeadership(listener: (isLeader: boolean) => void): () => void {
    return this.#leadership.listen(listener);
  }

  onMembers(listener: () => void): () => void {
    return this.#replica.view.listen(listener);
  }

  readIndex(signal?: AbortSignal): Promise<number> {
    if (this.#readsAlone) return Promise.resolve(this.appliedIndex);
    if (this.#ended) return Promise.reject(this.#ended);
    return this.#reads.read(signal);
  }

  addMember(request: AddRequest): Promise<RaftMember> {
    return this.#changes.add(request);
  }

  async removeMember(raftId: number): Promise<void> {
    this.#checkLeader();
    if (raftId !== this.raftId) return this.#changes.remove(raftId);
    await this.#changes.confirmRemoval(raftId);
    await this.#transfer.start();
    await this.readIndex();
    const leader = this.leader();
    if (!leader) throw noLeader();
    return leave(this.#components, leader);
  }

  async confirmRemoval(raftId: number): Promise<void> {
    this.#checkLeader();
    await this.#changes.confirmRemoval(raftId);
  }

  async transferLeadership(signal?: AbortSignal): Promise<void> {
    this.#checkLeader();
    await this.#transfer.start(signal);
  }

  setSnapshotPolicy(policy: SnapshotPolicy): void {
    this.#replica.snapshotter.setPolicy(policy);
  }

  /**
   * Seals everything on disk with the current key of the key ring. When it resolves, the older keys
   * are not needed any more.
   */
  rotateKeys(): Promise<void> {
    return this.#replica.reseal();
  }

  /** What has been applied here as of this call, for a backup. */
  capture(): Capture {
    return this.#replica.capture();
  }

  /** For metrics. */
  stats(): ConsensusStats {
    const { loop, logStart } = this.#replica;
    const { term, commit } = loop.status().hardState;
    const { appliedIndex, lastIndex } = loop;
    const pendingBytes = this.#proposals.bytes;
    return { term, commitIndex: commit, appliedIndex, lastIndex, ...logStart, pendingBytes };
  }

  /** The state of the core, for people. */
  describe(): string {
    return describeStatus(this.#replica.loop.status());
  }

  /** Throws when something that must always hold of the core does not. For simulations. */
  assertInvariants(): void {
    this.#replica.loop.assertInvariants();
  }

  #newReplica(stored: { readonly disk: LogDisk; readonly log: StoredLog }): Replica {
    return new Replica(this.#components, this.#init, stored, {
      turn: () => this.#reads.pump(),
      role: (state, term, lastIndex) => this.#onRole(state, term, lastIndex),
      applied: (index) => {
        this.#leadership.applied(index);
        this.#proposals.applied(index);
        this.#reads.applied(index);
      },
      readState: ({ requestCtx, index }) => this.#reads.answered(requestCtx, index),
      dropped: () => this.#leadership.lost(),
      removed: () => this.#onRemoved(),
      diskFailed: (error) => this.#onDiskFailed(error),
      failed: (error) => this.#fail(error),
    });
  }

  #newReads(): Reads {
    return new Reads(this.#components, {
      request: (ctx) => this.#replica.loop.readIndex(ctx),
      isLeaderless: () => this.#leaderWatch.isLeaderless,
      wake: () => this.#replica.loop.schedule(),
      appliedIndex: () => this.appliedIndex,
    });
  }

  #newChanges(): MemberChanges {
    const { nodeId } = this.#init;
    const { loop, membership, view } = this.#replica;
    return new MemberChanges(
      { ...this.#components, membership },
      {
        self: { raftId: this.raftId, nodeId },
        checkLeader: () => this.#checkLeader(),
        status: () => loop.status(),
        isReachable: (id) => view.isReachable(id),
        heardSince: (id, at) => view.heardSince(id, at),
        propose: (change) => {
          const index = loop.proposeConfChange(change);
          return { index, applied: this.#proposals.add(index, 0) };
        },
        checkHealth: (member) => checkHealth(this.#components, member),
        tookEffect: (index) => this.#replica.lastChangeIndex === index,
      },
    );
  }

  #newAnnouncer(): AddressAnnouncer {
    const { raftId } = this;
    return new AddressAnnouncer(this.#components, {
      addr: this.#init.addr,
      self: () => this.#replica.membership.get(raftId),
      leader: () => this.leader(),
      announce: (leader, moved) =>
        leader.self
          ? this.addMember(moved)
          : announceAddress(this.#components, leader, { raftId, addr: moved.addr }),
    });
  }

  #onTick(): void {
    const { loop, view } = this.#replica;
    this.#ticks++;
    loop.tick();
    this.#reads.tick();
    this.#transfer.check();
    view.refresh();
    if (this.isLeader) this.#changes.promote();
    if (this.#ticks % this.#electionTicks !== 0) return;
    this.#announcer.check();
    const { fault } = loop.status();
    if (fault) this.#fail(new Error(fault));
  }

  #onRole(state: SoftState, term: number, lastIndex: number): void {
    if (state.raftState === StateType.Leader) this.#leadership.elected(term, lastIndex);
    else this.#leadership.lost();
    this.#leaderWatch.set(state.lead);
    this.#transfer.check();
    this.#replica.view.refresh();
  }

  #onLeadershipLost(): void {
    this.#components.stateMachine.discardProposals();
    const message = this.#ended
      ? this.#ended.message
      : 'This manager lost leadership before the change was known to be committed.';
    const hint = 'The change may or may not have been made: look before you try again.';
    this.#proposals.rejectAll(new SwarmError('SWM_UNAVAILABLE', message, { hint }));
  }

  #onRemoved(): void {
    if (this.#ended) return;
    const message = 'This node is no manager any more: it was removed from the Raft members.';
    this.#components.logger.warn({ raftId: this.raftId }, 'removed from the raft members');
    this.#end(new SwarmError('SWM_NOT_MANAGER', message));
    this.#init.onRemoved?.();
  }

  /** Nothing is promised from here on; heartbeats need no disk, so that another can take over first. */
  #onDiskFailed(error: unknown): void {
    if (this.#ended || this.#stopping) return;
    this.#components.logger.error({ err: error }, 'the raft log cannot be written');
    this.#handOver().then(() => {
      if (this.#ended || this.#stopping) return;
      const { voters } = this.#replica.loop.confState;
      this.#readsAlone = voters.length === 1 && voters[0] === this.raftId;
      this.#fail(error);
    });
  }

  #fail(error: unknown): void {
    if (this.#ended || this.#stopping) return;
    const message = `This manager takes no part in Raft any more: ${errorMessage(error)}`;
    const hint = `Look at the disk that holds ${this.#init.dir}: once there is room, it goes on.`;
    const ended = new SwarmError('SWM_UNAVAILABLE', message, { hint, cause: error });
    this.#components.logger.error({ err: error }, 'raft failed');
    this.#end(ended);
    this.#init.onFailure?.(ended);
  }

  /** From here on this manager neither votes nor acknowledges, and says so. */
  #end(reason: SwarmError): void {
    this.#ended ??= reason;
    this.#ticker.stop();
    this.#replica.silence(reason);
    this.#leadership.lost();
    this.#reads.close(reason);
    this.#transfer.close(reason);
    // Those who wait for a leader are told as well: nobody leads here any more.
    this.#replica.view.refresh();
  }

  /** If there is somebody to take over; the core gives up after an election timeout. */
  async #handOver(): Promise<void> {
    const { loop } = this.#replica;
    if (!loop.isRaftLeader || loop.confState.voters.length < 2) return;
    await this.#transfer.start().catch(() => undefined);
  }

  async #close(): Promise<void> {
    this.#readsAlone = false;
    this.#end(new SwarmError('SWM_UNAVAILABLE', 'This manager is stopping.'));
    await this.#replica.close();
  }

  get #electionTicks(): number {
    return this.#init.electionTicks ?? defaults.ELECTION_TICKS;
  }

  #checkLeader(): void {
    if (this.#ended) throw this.#ended;
    if (this.isLeader && !this.#transfer.active) return;
    const leader = this.leader();
    const where = leader ? `The leader is at ${leader.addr}.` : 'There is no leader now.';
    throw new SwarmError('SWM_NOT_LEADER', `This manager is not the leader. ${where}`);
  }
}
