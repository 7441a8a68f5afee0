/**
 * A cluster in one process: members, the wire between them, and no time but ticks. Messages stay on the
 * wire until `settle` delivers them, so a test can lose, delay, and reorder them.
 */

import {
  type ConfChangeV1,
  type ConfChangeV2,
  type ConfState,
  EMPTY_CONF_STATE,
  type Message,
  RaftError,
} from '../../../manager/raft/index.ts';
import { bytes, Member, type MemberConfig, MemberStorage } from './member.ts';
import { seededRandom } from './random.ts';

export interface ClusterInit {
  readonly voters?: readonly number[];
  readonly learners?: readonly number[];
  readonly seed?: number;
  readonly config?: Partial<MemberConfig>;
  /** Overrides `config` for one member. */
  readonly configOf?: (id: number) => Partial<MemberConfig>;
}

export class Cluster {
  readonly members = new Map<number, Member>();
  wire: Message[] = [];
  /** Messages for which this is true get lost on delivery. */
  lose: (m: Message) => boolean = () => false;
  readonly #cut = new Set<string>();
  readonly #init: ClusterInit;
  readonly #random: () => number;

  /** All voters and learners start from a snapshot at index 1, term 1. */
  constructor(init: ClusterInit = {}) {
    this.#init = init;
    this.#random = seededRandom(init.seed ?? 1);
    const voters = init.voters ?? [1, 2, 3];
    const learners = init.learners ?? [];
    const confState: ConfState = { ...EMPTY_CONF_STATE, voters, learners };
    for (const id of [...voters, ...learners]) {
      const storage = new MemberStorage();
      storage.applySnapshot({ metadata: { index: 1, term: 1, confState } });
      storage.setHardState({ term: 1, vote: 0, commit: 1 });
      this.#add(id, storage);
    }
  }

  /** A node that knows nothing, to be made a member by a configuration change. */
  addEmpty(id: number): Member {
    return this.#add(id, new MemberStorage());
  }

  #add(id: number, storage: MemberStorage): Member {
    const { config, configOf } = this.#init;
    const member = new Member(id, { random: this.#random, ...config, ...configOf?.(id) }, storage);
    this.members.set(id, member);
    return member;
  }

  member(id: number): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`there is no member ${id}`);
    return member;
  }

  get all(): Member[] {
    return [...this.members.values()];
  }

  /** The leader of the highest term. */
  get leader(): Member {
    const leaders = this.all.filter(({ isLeader }) => isLeader);
    const leader = leaders.sort((a, b) => b.term - a.term)[0];
    if (leader === undefined) throw new Error('there is no leader');
    return leader;
  }

  elect(id: number): Member {
    this.member(id).node.campaign();
    this.settle();
    if (!this.member(id).isLeader) throw new Error(`${id} did not become leader`);
    return this.member(id);
  }

  propose(id: number, ...texts: readonly string[]): void {
    for (const each of texts) this.member(id).node.propose(bytes(each));
  }

  change(id: number, change: ConfChangeV1 | ConfChangeV2): void {
    this.member(id).node.proposeConfChange(change);
    this.settle();
  }

  tick(id: number, count = 1): void {
    for (let i = 0; i < count; i++) this.member(id).node.tick();
  }

  /** A tick for everybody and everything that follows from it, `count` times. */
  run(count: number): void {
    for (let i = 0; i < count; i++) {
      for (const { node } of this.all) node.tick();
      this.settle();
    }
  }

  cut(a: number, b: number): void {
    this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  isolate(id: number): void {
    for (const other of this.members.keys()) if (other !== id) this.cut(id, other);
  }

  /** Undoes the cuts between `id` and the others. */
  rejoin(id: number, others: readonly number[]): void {
    for (const other of others) {
      this.#cut.delete(`${id} ${other}`);
      this.#cut.delete(`${other} ${id}`);
    }
  }

  heal(): void {
    this.#cut.clear();
    this.lose = () => false;
  }

  /** Handles the Readys of one member once and puts its messages on the wire. */
  flush(id: number): void {
    const member = this.member(id);
    while (member.node.hasReady()) this.wire.push(...member.process());
    while (member.appendWork.length > 0) this.#respond(member, member.runAppendThread());
    while (member.applyWork.length > 0) this.#respond(member, member.runApplyThread());
  }

  /** Responses of storage threads are local if addressed to the node itself. */
  #respond(member: Member, responses: readonly Message[]): void {
    for (const m of responses) {
      if (m.to === member.id) this.step(m);
      else this.wire.push(m);
    }
  }

  /** Takes the messages off the wire that match. */
  take(matches: (m: Message) => boolean = () => true): Message[] {
    const taken = this.wire.filter(matches);
    this.wire = this.wire.filter((m) => !matches(m));
    return taken;
  }

  /** Delivers one message, unless it gets lost. */
  deliver(m: Message): void {
    if (this.lose(m) || this.#cut.has(`${m.from} ${m.to}`) || !this.members.has(m.to)) return;
    this.step(m);
  }

  step(m: Message): void {
    try {
      this.member(m.to).node.step(m);
    } catch (error) {
      // A message of a node that is no member any more, or a proposal that came too late.
      if (!(error instanceof RaftError)) throw error;
    }
  }

  /** Readys and messages until nothing happens any more. */
  settle(): void {
    this.settleUntil(() => false);
  }

  /** The same, or until the condition holds after a round. */
  settleUntil(condition: () => boolean): void {
    for (let round = 0; round < 10_000; round++) {
      for (const id of this.members.keys()) this.flush(id);
      if (condition()) return;
      const messages = this.take();
      if (messages.length === 0 && this.all.every(({ node }) => !node.hasReady())) return;
      for (const m of messages) this.deliver(m);
    }
    throw new Error('the cluster does not come to rest');
  }
}
