import type { Logger } from '../../common/logger.ts';
import type { RaftMember } from '../../proto/gen/swarm/raft.ts';
import type { MemberStatus } from './types.ts';

export interface AddressAnnouncerInit {
  readonly addr: string;
  /** This manager as the log has it. */
  readonly self: () => RaftMember | undefined;
  readonly leader: () => MemberStatus | undefined;
  /** Has the leader note the new address. */
  readonly announce: (leader: MemberStatus, moved: RaftMember) => Promise<unknown>;
}

/** Sees to it that the log follows when this manager has moved to another address. */
export class AddressAnnouncer {
  readonly #logger: Logger;
  readonly #init: AddressAnnouncerInit;
  #busy = false;

  constructor(components: { readonly logger: Logger }, init: AddressAnnouncerInit) {
    this.#logger = components.logger;
    this.#init = init;
  }

  /** To be called now and then. */
  check(): void {
    const { addr } = this.#init;
    const self = this.#init.self();
    const leader = this.#init.leader();
    if (this.#busy || !self || self.addr === addr || !leader) return;
    this.#busy = true;
    this.#init
      .announce(leader, { ...self, addr })
      .then(() => this.#logger.info({ addr, was: self.addr }, 'the members know our new address'))
      .catch((err) => this.#logger.warn({ err, addr }, 'announcing our address failed'))
      .finally(() => {
        this.#busy = false;
      });
  }
}
