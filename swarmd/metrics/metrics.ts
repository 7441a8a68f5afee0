import { Registry } from 'prom-client';
import { type Pacing, Slices } from '../../common/slices.ts';
import type { ManagerApi } from '../../manager/index.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { LoopPeriod } from './event-loop-watch.ts';
import { createInstruments, type Instruments } from './instruments.ts';
import type { LoopReading } from './loop-probe.ts';

/** Of the process. */
export interface ProcessFacts {
  readonly cpuSeconds: number;
  /** Seconds of Unix. */
  readonly startedAt: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly external: number;
}

export interface MetricsComponents extends Pacing {
  /** While this node is a manager. */
  readonly manager: () => ManagerApi | undefined;
  readonly process: () => ProcessFacts;
}

/** The numbers of this daemon, in the text format of Prometheus. */
export class Metrics {
  readonly #components: MetricsComponents;
  readonly #registry = new Registry();
  readonly #instruments: Instruments = createInstruments(this.#registry);
  #longest = { longestMs: 0, workMs: 0, gcMs: 0 };

  constructor(components: MetricsComponents) {
    this.#components = components;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Milliseconds from a proposal of this manager until it was applied. */
  proposed(ms: number): void {
    this.#instruments.raft.proposal.observe(ms / 1000);
  }

  loopPeriod({ longestMs, workMs, gcMs, cause }: LoopPeriod, { gcPauses }: LoopReading): void {
    const { delay, stretches, gcPause } = this.#instruments.eventLoop;
    delay.observe(longestMs / 1000);
    if (cause) stretches.inc({ cause });
    for (const { kind, ms } of gcPauses) gcPause.observe({ kind }, ms / 1000);
    const before = this.#longest;
    this.#longest = {
      longestMs: Math.max(before.longestMs, longestMs),
      workMs: Math.max(before.workMs, workMs),
      gcMs: Math.max(before.gcMs, gcMs),
    };
  }

  /** All of it, as of now. What is "since the last scrape" begins anew. */
  async scrape(): Promise<string> {
    this.#setEventLoop();
    this.#setProcess();
    const manager = this.#components.manager();
    this.#setManager(manager);
    await this.#setTasks(manager);
    return this.#registry.metrics();
  }

  #setEventLoop(): void {
    const { longest, work, longestGcPause } = this.#instruments.eventLoop;
    longest.set(this.#longest.longestMs / 1000);
    work.set(this.#longest.workMs / 1000);
    longestGcPause.set(this.#longest.gcMs / 1000);
    this.#longest = { longestMs: 0, workMs: 0, gcMs: 0 };
  }

  #setProcess(): void {
    const { cpu, start, rss, heapUsed, heapTotal, external } = this.#instruments.process;
    const facts = this.#components.process();
    // The kernel counts: what it says takes the place of what was said before.
    cpu.reset();
    cpu.inc(facts.cpuSeconds);
    start.set(facts.startedAt);
    rss.set(facts.rss);
    heapUsed.set(facts.heapUsed);
    heapTotal.set(facts.heapTotal);
    external.set(facts.external);
  }

  /** A node that is no manager has none of it. */
  #setManager(manager: ManagerApi | undefined): void {
    const { log, raft, store } = this.#instruments;
    const stats = manager?.stats();
    const { isLeader, hasLeader, applyLag } = raft;
    for (const gauge of [...Object.values(log), isLeader, hasLeader, applyLag]) gauge.remove();
    raft.members.reset();
    store.objects.reset();
    if (!manager || !stats) return;
    for (const name of Object.keys(log) as (keyof typeof log)[]) log[name].set(stats[name]);
    applyLag.set(stats.commitIndex - stats.appliedIndex);
    isLeader.set(manager.isLeader ? 1 : 0);
    hasLeader.set(manager.leader() ? 1 : 0);
    const members = manager.members();
    for (const { learner, reachable } of members) {
      raft.members.inc({ role: learner ? 'learner' : 'voter', reachable: String(reachable) });
    }
    for (const [kind, count] of Object.entries(stats.objects)) store.objects.set({ kind }, count);
  }

  async #setTasks(manager: ManagerApi | undefined): Promise<void> {
    const { tasks } = this.#instruments.store;
    const counts = await this.#tasksByState(manager);
    tasks.reset();
    for (const [state, count] of counts)
      tasks.set({ state: TaskState[state].toLowerCase() }, count);
  }

  async #tasksByState(manager: ManagerApi | undefined): Promise<Map<TaskState, number>> {
    const slices = new Slices(this.#components, 'metrics: tasks by state');
    const counts = new Map<TaskState, number>();
    for (const { status } of manager?.readLocal((tx) => [...tx.all('task')]) ?? []) {
      const state = status?.state ?? TaskState.NEW;
      counts.set(state, (counts.get(state) ?? 0) + 1);
      if (slices.isUsedUp) await slices.next();
    }
    return counts;
  }
}
