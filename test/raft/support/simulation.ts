/**
 * A cluster under everything that can go wrong, by a seed: messages are lost, doubled, delayed and
 * reordered, nodes crash and come back, the configuration changes all the time. In the end the faults
 * cease, and everybody must agree.
 */

import {
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV2,
  type Message,
  MessageType,
  RaftError,
} from '../../../manager/raft/index.ts';
import { Cluster } from './cluster.ts';
import { bytes, type Member, type MemberConfig, text } from './member.ts';
import { Oracle } from './oracle.ts';
import { below, pick, type Random, seededRandom } from './random.ts';

const IDS = [1, 2, 3, 4, 5];

export interface SimulationResult {
  readonly applied: readonly string[];
  readonly reads: number;
  readonly elections: number;
  readonly snapshots: number;
  readonly changes: number;
}

export class Simulation {
  readonly #random: Random;
  readonly #cluster: Cluster;
  readonly #oracle = new Oracle();
  readonly #down = new Set<number>();
  #proposals = 0;
  #reads = 0;
  #answers = 0;
  #snapshots = 0;
  #changes = 0;
  readonly #terms = new Set<number>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const shared = sharedConfig(this.#random);
    this.#cluster = new Cluster({
      seed,
      config: shared,
      configOf: () => ({ asyncStorageWrites: this.#random() < 0.5 }),
    });
    for (const id of [4, 5]) this.#cluster.addEmpty(id);
  }

  run(steps: number): SimulationResult {
    for (let i = 0; i < steps; i++) this.#step(i);
    this.#recover();
    return {
      applied: this.#cluster.leader.applied,
      reads: this.#answers,
      elections: this.#terms.size,
      snapshots: this.#snapshots,
      changes: this.#changes,
    };
  }

  #step(i: number): void {
    const member = this.#cluster.member(pick(this.#random, IDS));
    if (this.#down.has(member.id)) {
      if (this.#random() < 0.05) this.#restart(member);
      return;
    }
    this.#act(member);
    this.#observe(member);
    if (i % 50 === 0) this.#oracle.logMatching(member);
  }

  /** Mostly progress, sometimes something else. */
  #act(member: Member): void {
    const dice = this.#random();
    if (dice < 0.3) this.#work(member);
    else if (dice < 0.72) this.#deliver();
    else if (dice < 0.85) member.node.tick();
    else if (dice < 0.93) this.#propose(member);
    else if (dice < 0.96) this.#read(member);
    else this.#disturb(member);
  }

  #work(member: Member): void {
    const { wire } = this.#cluster;
    if (member.node.hasReady()) wire.push(...member.process());
    if (member.appendWork.length > 0 && this.#random() < 0.7) {
      this.#local(member, member.runAppendThread());
    }
    if (member.applyWork.length > 0 && this.#random() < 0.7) {
      this.#local(member, member.runApplyThread());
    }
    for (const { index, requestCtx } of member.reads.splice(0)) {
      this.#answers++;
      this.#oracle.readAnswered(text(requestCtx), index);
    }
  }

  /** What a node tells itself is not lost; everything else goes over the wire. */
  #local(member: Member, responses: readonly Message[]): void {
    for (const m of responses) {
      if (m.to === member.id) this.#cluster.step(m);
      else this.#cluster.wire.push(m);
    }
  }

  #deliver(): void {
    const { wire } = this.#cluster;
    if (wire.length === 0) return;
    const dice = this.#random();
    // Mostly in order, else any message.
    const at = this.#random() < 0.8 ? 0 : below(this.#random, wire.length);
    const m = wire[at]!;
    if (dice > 0.05) wire.splice(at, 1);
    if (dice > 0.95 || this.#down.has(m.to)) {
      if (this.#random() < 0.3) this.#reportLoss(m);
      return;
    }
    if (m.type === MessageType.Snap) this.#snapshots++;
    this.#cluster.deliver(m);
    this.#observe(this.#cluster.member(m.to));
  }

  #reportLoss(m: Message): void {
    if (this.#down.has(m.from)) return;
    const { node } = this.#cluster.member(m.from);
    if (m.type === MessageType.Snap) node.reportSnapshot(m.to, false);
    else node.reportUnreachable(m.to);
  }

  #propose(member: Member): void {
    attempt(() => member.node.propose(bytes(`p${this.#proposals++}`)));
  }

  #read(member: Member): void {
    const ctx = `r${this.#reads++}`;
    this.#oracle.readAsked(ctx);
    member.node.readIndex(bytes(ctx));
  }

  #disturb(member: Member): void {
    const actions: readonly (() => void)[] = [
      () => this.#crash(member),
      () => member.compact(below(this.#random, 5)),
      () => this.#change(member),
      () => this.#change(member),
      () => member.node.transferLeader(pick(this.#random, IDS)),
      () => member.node.forgetLeader(),
      () => member.node.campaign(),
      () => this.#cluster.isolate(member.id),
      () => this.#cluster.heal(),
      () => this.#cluster.heal(),
    ];
    pick(this.#random, actions)();
  }

  #change(member: Member): void {
    const transition = pick(this.#random, Object.values(ConfChangeTransition));
    const changes = Array.from({ length: below(this.#random, 4) }, () => ({
      type: pick(this.#random, Object.values(ConfChangeType)),
      nodeId: pick(this.#random, IDS),
    }));
    this.#changes++;
    attempt(() => member.node.proposeConfChange({ transition, changes }));
  }

  #crash(member: Member): void {
    this.#down.add(member.id);
  }

  #restart(member: Member): void {
    this.#down.delete(member.id);
    member.restart();
    this.#oracle.restarted(member);
  }

  #observe(member: Member): void {
    if (this.#down.has(member.id)) return;
    this.#oracle.observe(member);
    if (member.isLeader) this.#terms.add(member.term);
  }

  /** No more faults: the members of the last configuration must come to the same state. */
  #recover(): void {
    const cluster = this.#cluster;
    for (const id of [...this.#down]) this.#restart(cluster.member(id));
    cluster.heal();
    // A driver always reports how a snapshot fared, if late: without it the leader would wait for ever.
    for (const { node } of cluster.all) for (const id of IDS) node.reportSnapshot(id, false);
    for (let round = 0; round < 60 && !this.#agrees(); round++) this.#calmRound(round);
    if (!this.#agrees()) throw new Error(`no agreement: ${this.#describe()}`);
    for (const member of cluster.all) {
      this.#oracle.observe(member);
      this.#oracle.logMatching(member);
    }
  }

  #calmRound(round: number): void {
    const cluster = this.#cluster;
    cluster.run(10);
    const leader = cluster.all
      .filter(({ isLeader }) => isLeader)
      .sort((a, b) => b.term - a.term)[0];
    if (leader === undefined) return;
    attempt(() => leader.node.propose(bytes(`end${round}`)));
    // Somebody has to end an explicit transition.
    if (leader.confState.votersOutgoing.length > 0) {
      const leave: ConfChangeV2 = { transition: ConfChangeTransition.Auto, changes: [] };
      attempt(() => leader.node.proposeConfChange(leave));
    }
    cluster.settle();
    // Whoever was removed does not know it and may go on campaigning: the driver stops it.
    const { voters, learners, votersOutgoing } = leader.confState;
    const members = [...voters, ...learners, ...votersOutgoing];
    for (const { id } of cluster.all) if (!members.includes(id)) cluster.isolate(id);
    for (const id of members) cluster.rejoin(id, members);
  }

  #agrees(): boolean {
    const leaders = this.#cluster.all.filter(({ isLeader }) => isLeader);
    const leader = leaders.sort((a, b) => b.term - a.term)[0];
    if (leader === undefined || !leader.applied.some((each) => each.startsWith('end')))
      return false;
    const { voters, learners, votersOutgoing } = leader.confState;
    if (votersOutgoing.length > 0) return false;
    return [...voters, ...learners].every(
      (id) => this.#cluster.member(id).applied.join() === leader.applied.join(),
    );
  }

  #describe(): string {
    return this.#cluster.all
      .map(({ node, applied }) => `${JSON.stringify(node.status())} applied ${applied.length}`)
      .join('\n');
  }
}

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
  }
}

function sharedConfig(random: Random): Partial<MemberConfig> {
  return {
    preVote: random() < 0.5,
    checkQuorum: random() < 0.7,
    stepDownOnRemoval: true,
    electionTick: 5,
    maxSizePerMsg: pick(random, [0, 40, 200, 100_000]),
    maxCommittedSizePerReady: pick(random, [undefined, 1, 60, 100_000]),
    maxInflightMsgs: pick(random, [1, 2, 5, 256]),
    maxUncommittedEntriesSize: pick(random, [0, 20, 1_000]),
  };
}
