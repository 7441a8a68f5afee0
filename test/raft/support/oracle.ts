/**
 * What must hold in a cluster as a whole, whatever happens to it (Raft 5.2, figure 3): watched from
 * outside, with a memory of everything that ever happened.
 */

import { assertInvariants, type Entry } from '../../../manager/raft/index.ts';
import { type Member, text } from './member.ts';

export class Oracle {
  readonly #leaders = new Map<number, number>();
  /** Every entry that was ever in a log, with its predecessor's term. */
  readonly #entries = new Map<string, string>();
  /** Every entry that anybody has ever known to be committed. */
  readonly #committed = new Map<number, string>();
  readonly #checkedCommit = new Map<number, number>();
  readonly #reads = new Map<string, number>();
  #commit = 0;

  /** To be called after every step of the member. */
  observe(member: Member): void {
    const { fault } = member.node.status();
    if (fault !== undefined) throw new Error(`node ${member.id} halted: ${fault}`);
    assertInvariants(member.node);
    this.#electionSafety(member);
    this.#stateMachineSafety(member);
  }

  #electionSafety(member: Member): void {
    if (!member.isLeader) return;
    const known = this.#leaders.get(member.term);
    if (known === undefined) {
      this.#leaders.set(member.term, member.id);
      this.#leaderCompleteness(member);
    } else if (known !== member.id) {
      throw new Error(`${known} and ${member.id} both lead term ${member.term}`);
    }
  }

  /** A new leader has everything that was ever committed. */
  #leaderCompleteness(member: Member): void {
    const { log } = member.node.raft;
    if (log.lastIndex() < this.#commit) {
      throw new Error(
        `leader ${member.id} of term ${member.term} ends at ${log.lastIndex()}, committed ${this.#commit}`,
      );
    }
    for (const entry of member.log()) {
      const committed = this.#committed.get(entry.index);
      if (committed !== undefined && committed !== identity(entry)) {
        throw new Error(`leader ${member.id} has ${identity(entry)}, committed was ${committed}`);
      }
    }
  }

  /** Nobody ever sees another entry committed at an index. */
  #stateMachineSafety(member: Member): void {
    const { log } = member.node.raft;
    const from = Math.max(this.#checkedCommit.get(member.id) ?? 0, log.firstIndex() - 1) + 1;
    if (log.committed < from) return;
    for (const entry of log.slice(from, log.committed + 1, Number.MAX_SAFE_INTEGER)) {
      const known = this.#committed.get(entry.index);
      if (known === undefined) this.#committed.set(entry.index, identity(entry));
      else if (known !== identity(entry)) {
        throw new Error(`${member.id} committed ${identity(entry)}, before it was ${known}`);
      }
    }
    this.#checkedCommit.set(member.id, log.committed);
    this.#commit = Math.max(this.#commit, log.committed);
  }

  /** A restarted member may know less again. */
  restarted(member: Member): void {
    this.#checkedCommit.delete(member.id);
  }

  /** Logs with an equal (index, term) are equal up to there: of the entries, and thus of all. */
  logMatching(member: Member): void {
    const { log } = member.node.raft;
    let previous = log.maybeTerm(log.firstIndex() - 1);
    for (const entry of member.log()) {
      const key = `${entry.index}/${entry.term}`;
      const value = `${previous} ${identity(entry)}`;
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, value);
      else if (known !== value)
        throw new Error(`${member.id} has ${value} at ${key}, not ${known}`);
      previous = entry.term;
    }
  }

  /** A read must reflect everything that was committed when it was asked for. */
  readAsked(ctx: string): void {
    this.#reads.set(ctx, this.#commit);
  }

  readAnswered(ctx: string, index: number): void {
    const least = this.#reads.get(ctx);
    if (least === undefined) throw new Error(`answer to a read ${ctx} that nobody asked for`);
    if (index < least) throw new Error(`read ${ctx} was answered with ${index}, wanted ${least}`);
  }
}

function identity({ term, index, type, data }: Entry): string {
  return `${index}/${term}/${type} ${text(data)}`;
}
