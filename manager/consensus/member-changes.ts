import { ConfChangeType, type ConfChangeV2, ErrProposalDropped, type Status } from 'raft-ts';
import { type Clock, sleep } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { RaftMember } from '../../proto/gen/swarm/raft.ts';
import { memberChange } from './log-boot.ts';
import type { Membership } from './membership.ts';
import { newRaftId } from './raft-id.ts';

export interface MemberChangesComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly membership: Membership;
}

export interface MemberChangesInit {
  readonly self: { readonly raftId: number; readonly nodeId: string };
  /** Throws SWM_NOT_LEADER. */
  readonly checkLeader: () => void;
  readonly status: () => Status;
  readonly isReachable: (raftId: number) => boolean;
  /** Whether a Raft message of it came in after `at`, in milliseconds of the monotonic clock. */
  readonly heardSince: (raftId: number, at: number) => boolean;
  /** Resolves when the entry is applied; rejects when leadership is lost. */
  readonly propose: (change: ConfChangeV2) => { index: number; applied: Promise<void> };
  /** Rejects when no manager answers there. */
  readonly checkHealth: (member: { nodeId: string; addr: string }) => Promise<void>;
  /** Whether the entry at `index` was applied as a change; the core may void it. */
  readonly tookEffect: (index: number) => boolean;
}

export interface AddRequest {
  readonly nodeId: string;
  readonly addr: string;
  /** The id that the node believes to have; 0 says that it has no log, undefined that it may. */
  readonly raftId?: number;
}

type CallState = 'open' | 'answered' | 'failed';

const QUORUM_LOSS_MESSAGE =
  "can't remove member from the raft: this would result in a loss of quorum";

/** A learner this near to the leader is made a voter; the rest reaches it within a round trip. */
const PROMOTE_LAG_MAX = 256;
const RETRY_MS = 50;
const RETRIES_MAX = 100;

/**
 * Changes of the membership, at the leader, one after the other. A new member begins as a learner, so
 * that it does not count for the quorum before it has the log (Raft thesis 4.2.1).
 */
export class MemberChanges {
  readonly #components: MemberChangesComponents;
  readonly #init: MemberChangesInit;
  #queue: Promise<unknown> = Promise.resolve();
  #promoting = false;

  constructor(components: MemberChangesComponents, init: MemberChangesInit) {
    this.#components = components;
    this.#init = init;
  }

  /** Resolves once the node is a member, of whatever kind. */
  async add(request: AddRequest): Promise<RaftMember> {
    this.#init.checkLeader();
    const isSelf = request.nodeId === this.#init.self.nodeId;
    if (!isSelf) await this.#init.checkHealth(request);
    return this.#inTurn(() => this.#add(request));
  }

  /** Throws SWM_FAILED_PRECONDITION when the others would be no quorum. */
  remove(raftId: number): Promise<void> {
    this.#init.checkLeader();
    return this.#inTurn(() => this.#remove(raftId, true));
  }

  /**
   * Throws SWM_FAILED_PRECONDITION when the members without this one would be no quorum. A member that
   * died less than an election timeout ago still counts as reachable, and without it the removal could
   * not be undone. So a quorum of the others must answer a call that is made now, since Raft messages
   * that arrive now may have been sent by a process that is dead; and it must send Raft messages, since
   * a manager whose disk has failed still answers calls. Takes about as long as a heartbeat.
   */
  async confirmRemoval(raftId: number): Promise<void> {
    const { checkLeader, isReachable, heardSince } = this.#init;
    const { clock } = this.#components;
    const askedAt = clock.monotonic();
    const calls = new Map<number, CallState>();
    const mayAnswer = (id: number) => isReachable(id) && calls.get(id) !== 'failed';
    const hasAnswered = (id: number) => calls.get(id) === 'answered' && heardSince(id, askedAt);
    // Ends: each call is answered or fails, and a member that stays silent becomes unreachable.
    for (;;) {
      checkLeader();
      if (!this.#isQuorumWithout(raftId, mayAnswer)) {
        throw new SwarmError('SWM_FAILED_PRECONDITION', QUORUM_LOSS_MESSAGE);
      }
      if (this.#isQuorumWithout(raftId, hasAnswered)) return;
      this.#callVotersExcept(raftId, calls);
      await sleep(clock, RETRY_MS);
    }
  }

  /** To be called now and then at the leader: makes voters of learners that have caught up. */
  promote(): void {
    const hasLearner = this.#components.membership.all().some(({ learner }) => learner);
    if (this.#promoting || !hasLearner) return;
    const ready = this.#caughtUp();
    if (!ready) return;
    this.#promoting = true;
    this.#inTurn(() => this.#change(ConfChangeType.AddNode, { ...ready, learner: false }))
      .then(() => this.#components.logger.info({ member: ready }, 'manager became a voter'))
      .catch((err) => this.#components.logger.warn({ err, member: ready }, 'promotion failed'))
      .finally(() => {
        this.#promoting = false;
      });
  }

  async #add(request: AddRequest): Promise<RaftMember> {
    const { membership, random, logger } = this.#components;
    const { nodeId, addr } = request;
    const known = membership.byNodeId(nodeId);
    if (known && this.#mayKeepId(known, request)) {
      if (known.addr === addr) return known;
      const moved = { ...known, addr };
      await this.#change(ConfChangeType.UpdateNode, moved);
      return moved;
    }
    // Whoever lost its log must not speak under the old id, which others have heard votes from.
    if (known) await this.#remove(known.raftId, false);
    const isTaken = (id: number) => membership.isRemoved(id) || membership.get(id) !== undefined;
    const member = { raftId: newRaftId(random, isTaken), nodeId, addr, learner: true };
    await this.#change(ConfChangeType.AddLearnerNode, member);
    logger.info({ member }, 'manager joined');
    return member;
  }

  #mayKeepId(known: RaftMember, { raftId }: AddRequest): boolean {
    if (raftId === undefined || raftId === known.raftId) return true;
    // It asks again because it never got our answer, if it has acknowledged nothing so far.
    const progress = this.#init.status().progress.find(({ id }) => id === known.raftId);
    return known.learner && progress?.match === 0;
  }

  async #remove(raftId: number, guarded: boolean): Promise<void> {
    const { membership, logger } = this.#components;
    const member = membership.get(raftId);
    if (!member) {
      if (membership.isRemoved(raftId)) return;
      throw new SwarmError('SWM_NOT_FOUND', `There is no Raft member with the id ${raftId}.`);
    }
    if (guarded) await this.confirmRemoval(raftId);
    await this.#change(ConfChangeType.RemoveNode, member);
    logger.info({ member }, 'manager removed from the raft members');
  }

  /** Calls the voters, but for this one and `raftId`, that `calls` does not have yet. */
  #callVotersExcept(raftId: number, calls: Map<number, CallState>): void {
    const { self, status, checkHealth } = this.#init;
    for (const id of status().confState.voters) {
      if (id === raftId || id === self.raftId || calls.has(id)) continue;
      const member = this.#components.membership.get(id);
      calls.set(id, member ? 'open' : 'failed');
      if (!member) continue;
      checkHealth(member).then(
        () => calls.set(id, 'answered'),
        () => calls.set(id, 'failed'),
      );
    }
  }

  #isQuorumWithout(raftId: number, counts: (id: number) => boolean): boolean {
    const { voters } = this.#init.status().confState;
    if (!voters.includes(raftId)) return true;
    const left = voters.filter((id) => id !== raftId);
    const counted = left.filter((id) => id === this.#init.self.raftId || counts(id));
    return counted.length >= Math.floor(left.length / 2) + 1;
  }

  #caughtUp(): RaftMember | undefined {
    const { hardState, progress } = this.#init.status();
    const learner = progress.find(
      ({ id, isLearner, match, state }) =>
        isLearner &&
        this.#init.isReachable(id) &&
        state === 'StateReplicate' &&
        match + PROMOTE_LAG_MAX >= hardState.commit,
    );
    return learner && this.#components.membership.get(learner.id);
  }

  /** Retries while the core still has another change on its way, e.g. one of an earlier leader. */
  async #change(type: ConfChangeType, member: RaftMember): Promise<void> {
    for (let i = 0; i < RETRIES_MAX; i++) {
      this.#init.checkLeader();
      const { index, applied } = this.#propose(memberChange(type, member));
      await applied;
      if (this.#init.tookEffect(index)) return;
      await sleep(this.#components.clock, RETRY_MS);
    }
    throw new SwarmError('SWM_UNAVAILABLE', 'Another change of the Raft members does not end.');
  }

  #propose(change: ConfChangeV2): { index: number; applied: Promise<void> } {
    try {
      return this.#init.propose(change);
    } catch (error) {
      if (!(error instanceof ErrProposalDropped)) throw error;
      throw new SwarmError('SWM_UNAVAILABLE', 'Leadership is being handed over.', { cause: error });
    }
  }

  #inTurn<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(job);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
