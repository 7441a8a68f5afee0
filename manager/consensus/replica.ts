import { type Entry, type Message, MessageType, type ReadState, type SoftState } from 'raft-ts';
import type { Timer } from '../../common/clock.ts';
import type { SwarmError } from '../../common/errors.ts';
import { nextTurn } from '../../common/turns.ts';
import * as defaults from './constants.ts';
import { coreConfig } from './core-config.ts';
import { Failover } from './failover.ts';
import type { ConsensusComponents, ConsensusInit } from './init.ts';
import { changeOf } from './log-boot.ts';
import type { LogDisk } from './log-disk.ts';
import type { SnapshotManifest, StoredLog } from './log-records.ts';
import { LogTail } from './log-tail.ts';
import { MembersView } from './members-view.ts';
import { Membership } from './membership.ts';
import { PeerGate } from './peer-gate.ts';
import { RaftLoop } from './raft-loop.ts';
import { SnapshotExchange } from './snapshot-exchange.ts';
import { SnapshotStore } from './snapshot-store.ts';
import { type AppliedState, type Capture, Snapshotter } from './snapshotter.ts';
import { Transport } from './transport.ts';

/** How many times the shortest election timeout a removed manager stays at most: two of the longest. */
const FAREWELL_ELECTIONS = 4;

export interface ReplicaEvents {
  /** At the beginning of each turn of the loop. */
  turn(): void;
  role(state: SoftState, term: number, lastIndex: number): void;
  applied(index: number): void;
  readState(state: ReadState): void;
  /** The core does not take proposals any more. */
  dropped(): void;
  /** This manager was removed from the members. */
  removed(): void;
  /** The disk failed: what the core was promised will not happen. */
  diskFailed(error: unknown): void;
  /** The state of this replica is not that of the others any more. */
  failed(error: unknown): void;
}

/**
 * One copy of the log and of the state it leads to, kept up with the others: the core and its loop,
 * the log on disk, snapshots, and the connections to the other members. Who leads, and what that means
 * to those who wait, is the business of `Consensus`.
 */
export class Replica {
  readonly raftId: number;
  readonly loop: RaftLoop;
  readonly membership: Membership;
  readonly view: MembersView;
  readonly peers: PeerGate;
  readonly snapshotter: Snapshotter;
  readonly #components: ConsensusComponents;
  readonly #init: ConsensusInit;
  readonly #events: ReplicaEvents;
  readonly #disk: LogDisk;
  readonly #tail: LogTail;
  readonly #snapshots: SnapshotStore;
  readonly #exchange: SnapshotExchange;
  readonly #transport: Transport;
  readonly #failover: Failover;
  readonly #closing = new AbortController();
  #lastChangeIndex = 0;
  #isLoaded = false;
  #farewell: Timer | undefined;

  constructor(
    components: ConsensusComponents,
    init: ConsensusInit,
    stored: { readonly disk: LogDisk; readonly log: StoredLog },
    events: ReplicaEvents,
  ) {
    const { disk, log } = stored;
    this.#components = components;
    this.#init = init;
    this.#events = events;
    this.#disk = disk;
    this.raftId = log.identity.raftId;
    this.#tail = new LogTail(log);
    this.membership = new Membership(log.snapshot?.membership ?? log.identity.joined);
    this.#snapshots = new SnapshotStore({ ...components, disk });
    this.loop = this.#newLoop();
    this.#transport = this.#newTransport();
    this.view = new MembersView(
      { ...components, membership: this.membership },
      {
        selfId: this.raftId,
        silenceMs: 1.5 * defaults.electionMs(init),
        leaderId: () => this.loop.lead,
        isRaftLeader: () => this.loop.isRaftLeader,
        isUp: (id) => this.#transport.isUp(id),
      },
    );
    this.snapshotter = this.#newSnapshotter();
    this.#exchange = this.#newExchange();
    this.#failover = new Failover(components, {
      selfId: this.raftId,
      leaderId: () => this.loop.lead,
      voters: () => this.loop.confState.voters,
      forgetLeader: () => this.loop.forgetLeader(),
      campaign: () => this.loop.campaign(),
    });
    this.peers = new PeerGate(
      {
        membership: this.membership,
        view: this.view,
        transport: this.#transport,
        loop: this.loop,
        exchange: this.#exchange,
      },
      { raftId: this.raftId },
    );
  }

  /** The index of the last entry that changed the members. */
  get lastChangeIndex(): number {
    return this.#lastChangeIndex;
  }

  get logStart(): { firstIndex: number; snapshotIndex: number; logBytes: number } {
    const { manifest, bytes } = this.#tail;
    const firstIndex = this.#tail.firstIndex();
    return { firstIndex, snapshotIndex: manifest?.index ?? 0, logBytes: bytes };
  }

  /** Brings the state machine to where it was, from the disk alone. Ends early when `isOver`. */
  async load(isOver: () => boolean): Promise<void> {
    const { manifest } = this.#tail;
    const { stateMachine } = this.#components;
    if (manifest) await stateMachine.restore(manifest.index, this.#snapshots.pieces(manifest));
    this.#followMembership();
    const { commit } = this.#tail.initialState().hardState;
    this.loop.begin();
    while (this.loop.appliedIndex < commit && !isOver()) await nextTurn();
    this.#isLoaded = true;
  }

  /** The state of this moment, and the pieces that it is made of. */
  capture(): Capture {
    return { state: this.#appliedState(), pieces: this.#components.stateMachine.snapshot() };
  }

  /** Seals everything on disk with the current key. */
  reseal(): Promise<void> {
    return this.loop.exclusive(() => this.#disk.reseal());
  }

  /** Says nothing to anybody any more, and `reason` to those who ask. */
  silence(reason: SwarmError): void {
    this.#closing.abort(reason);
    this.#farewell?.cancel();
    this.#failover.stop();
    this.loop.halt();
    this.#transport.close();
    this.peers.close(reason);
  }

  /** After `silence`: waits for the disk. */
  async close(): Promise<void> {
    await this.loop.stop();
    await this.#disk.close();
  }

  #newLoop(): RaftLoop {
    const components = { ...this.#components, disk: this.#disk, tail: this.#tail };
    return new RaftLoop(components, coreConfig(this.#components, this.#init, this.raftId), {
      turn: () => this.#onTurn(),
      send: (message) => this.#send(message),
      flush: () => this.#transport.flush(),
      role: (state, term, lastIndex) => this.#events.role(state, term, lastIndex),
      apply: (index, data) => this.#components.stateMachine.apply(index, data),
      changed: (entry) => this.#onChange(entry),
      applied: (index) => this.#onApplied(index),
      readState: (state) => this.#events.readState(state),
      dropped: () => this.#events.dropped(),
      manifestOf: (message) => this.#exchange.adopt(message),
      restore: (manifest) => this.#restore(manifest),
      diskFailed: (error) => this.#events.diskFailed(error),
      failed: (error) => this.#events.failed(error),
    });
  }

  #newTransport(): Transport {
    return new Transport(this.#components, {
      self: { raftId: this.raftId, addr: this.#init.addr },
      events: {
        reachability: () => this.view.refresh(),
        unreachable: (id) => this.loop.reportUnreachable(id),
        refused: (id) => this.#failover.refused(id),
        removed: () => this.#events.removed(),
      },
    });
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
      exclusive: (job) => this.loop.exclusive(job),
      neededFrom: () => this.#neededFrom(),
      failed: (error) => this.#events.diskFailed(error),
    });
  }

  #newExchange(): SnapshotExchange {
    const components = { ...this.#components, tail: this.#tail, snapshots: this.#snapshots };
    return new SnapshotExchange(components, {
      selfAddr: this.#init.addr,
      placeOf: (id) => this.#transport.placeOf(id),
      report: (id, ok) => this.loop.reportSnapshot(id, ok),
      step: (message) => {
        this.loop.step(message);
        this.loop.turn();
      },
      signal: this.#closing.signal,
    });
  }

  #onTurn(): void {
    this.#events.turn();
    if (this.#tail.takeSnapshotWanted()) this.#takeSnapshot();
  }

  #onApplied(index: number): void {
    this.#events.applied(index);
    // One taken on the way there would be of a state that is soon past.
    if (this.#isLoaded && this.snapshotter.isDue(index)) this.#takeSnapshot();
  }

  #takeSnapshot(): void {
    this.snapshotter.take(this.#appliedState());
  }

  #appliedState(): AppliedState {
    const { appliedIndex: index, appliedTerm: term, confState } = this.loop;
    return { index, term, confState, membership: this.membership.record() };
  }

  #onChange(entry: Entry): void {
    this.#lastChangeIndex = entry.index;
    this.#tail.setChangedAt(entry.index);
    const { change, member } = changeOf(entry);
    for (const each of change.changes) this.membership.apply(each, member);
    this.#followMembership();
    for (const { nodeId: raftId } of change.changes) {
      if (!this.membership.isRemoved(raftId)) continue;
      this.peers.dismiss(raftId);
      if (raftId === this.raftId) this.#onOwnRemoval();
    }
  }

  /**
   * The others may not know yet that the removal is committed: a leader that applies its own has only
   * just decided so, and the messages that say it may get lost. As long as they do not know, the vote of
   * this manager counts, and they may have no quorum without it. So it stays until one of them says
   * that it was removed, or until each of them has had time to stand for election.
   */
  #onOwnRemoval(): void {
    // After a restart they have had time enough.
    if (!this.#isLoaded) {
      this.#events.removed();
      return;
    }
    const { clock } = this.#components;
    const ms = FAREWELL_ELECTIONS * defaults.electionMs(this.#init);
    this.#farewell ??= clock.setTimer(ms, () => this.#events.removed());
  }

  async #restore(manifest: SnapshotManifest): Promise<void> {
    const { stateMachine, logger } = this.#components;
    logger.info({ index: manifest.index, bytes: manifest.bytes }, 'loading snapshot of the leader');
    await stateMachine.restore(manifest.index, this.#snapshots.pieces(manifest));
    this.#tail.reset(manifest);
    this.#exchange.isInUse(manifest);
    this.membership.restore(manifest.membership);
    this.#followMembership();
    await this.#snapshots.collect(manifest.id);
  }

  #followMembership(): void {
    const isRemoved = (raftId: number) => this.membership.isRemoved(raftId);
    this.#transport.setMembers(this.membership.all(), isRemoved);
    this.view.refresh();
  }

  #send(message: Message): void {
    if (message.type === MessageType.Snap) this.#exchange.send(message);
    else this.#transport.send(message);
  }

  /** What followers that keep up, or have just got a snapshot, will ask for next. */
  #neededFrom(): number {
    const active = this.loop
      .status()
      .progress.filter(({ id }) => id !== this.raftId && this.view.isReachable(id))
      .map(({ match }) => match + 1);
    return Math.min(this.#exchange.lowestIndex + 1, ...active);
  }
}
