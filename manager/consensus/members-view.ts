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

/** The members with what is known of them now, and word of each change. */
export class MembersView {
  readonly #components: MembersViewComponents;
  readonly #init: MembersViewInit;
  readonly #listeners = new Set<() => void>();
  readonly #heardAt = new Map<number, number>();
  #told = '';

  constructor(components: MembersViewComponents, init: MembersViewInit) {
    this.#components = components;
    this.#init = init;
  }

  /** A message of this member came in. */
  heard(raftId: number): void {
    this.#heardAt.set(raftId, this.#components.clock.monotonic());
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
    const now = JSON.stringify(this.all());
    if (now === this.#told) return;
    this.#told = now;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (err) {
        this.#components.logger.error({ err }, 'a listener for members failed');
      }
    }
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
