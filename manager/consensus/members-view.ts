import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { RaftMember } from '../../proto/gen/swarm/raft.ts';
import type { Membership } from './membership.ts';
import type { MemberStatus } from './types.ts';

export interface MembersViewComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly membership: Membership;
}

export interface MembersViewInit {
  readonly selfId: number;
  /** A leader hears from every follower each heartbeat; after this long it takes it for gone. */
  readonly silenceMs: number;
  readonly leaderId: () => number;
  readonly isRaftLeader: () => boolean;
  /** Whether a stream to the member stands. */
  readonly isUp: (raftId: number) => boolean;
}

interface Told {
  readonly member: RaftMember;
  readonly leader: boolean;
  readonly reachable: boolean;
}

/** The members with what is known of them now, and word of each change. */
export class MembersView {
  readonly #components: MembersViewComponents;
  readonly #init: MembersViewInit;
  readonly #listeners = new Set<() => void>();
  readonly #heardAt = new Map<number, number>();
  #told: readonly Told[] = [];

  constructor(components: MembersViewComponents, init: MembersViewInit) {
    this.#components = components;
    this.#init = init;
  }

  /** A message of this member came in. */
  heard(raftId: number): void {
    this.#heardAt.set(raftId, this.#components.clock.monotonic());
  }

  /** Whether a message of it came in after `at`, in milliseconds of the monotonic clock. */
  heardSince(raftId: number, at: number): boolean {
    return (this.#heardAt.get(raftId) ?? Number.NEGATIVE_INFINITY) > at;
  }

  isReachable(raftId: number): boolean {
    const { selfId, silenceMs, isRaftLeader, isUp } = this.#init;
    if (raftId === selfId) return true;
    const heardAt = this.#heardAt.get(raftId) ?? Number.NEGATIVE_INFINITY;
    if (this.#components.clock.monotonic() - heardAt < silenceMs) return true;
    return !isRaftLeader() && isUp(raftId);
  }

  all(): readonly MemberStatus[] {
    return this.#components.membership.all().map((member) => this.#status(member));
  }

  leader(): MemberStatus | undefined {
    const member = this.#components.membership.get(this.#init.leaderId());
    return member && this.#status(member);
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells the listeners if anything is different from what they were told last. */
  refresh(): void {
    if (!this.#isNew()) return;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (err) {
        this.#components.logger.error({ err }, 'a listener for members failed');
      }
    }
  }

  /** Once each tick, so it looks at no more than it must: records of members are replaced, not changed. */
  #isNew(): boolean {
    const leaderId = this.#init.leaderId();
    const now = this.#components.membership.all().map((member) => ({
      member,
      leader: member.raftId === leaderId,
      reachable: this.isReachable(member.raftId),
    }));
    if (now.length === this.#told.length && now.every((each, i) => isSame(each, this.#told[i]!))) {
      return false;
    }
    this.#told = now;
    return true;
  }

  #status(member: RaftMember): MemberStatus {
    const { selfId, leaderId } = this.#init;
    return {
      ...member,
      leader: member.raftId === leaderId(),
      reachable: this.isReachable(member.raftId),
      self: member.raftId === selfId,
    };
  }
}

function isSame(a: Told, b: Told): boolean {
  return a.member === b.member && a.leader === b.leader && a.reachable === b.reachable;
}
