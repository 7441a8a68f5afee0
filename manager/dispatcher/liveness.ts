import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import {
  GOSSIP_DEAD_PERIODS,
  GRACE_PERIODS,
  HEARTBEAT_SPREAD,
  UNKNOWN_GRACE_PERIODS,
} from './constants.ts';

export interface LivenessComponents {
  readonly clock: Clock;
  readonly random: Random;
  /** The heartbeat period of the cluster, milliseconds; asked anew at every beat. */
  readonly period: () => number;
  /** Called once; the node is not watched any more. */
  readonly onDead: (nodeId: string) => void;
}

interface Watched {
  lastBeat: number;
  period: number;
  gracePeriods: number;
  timer: Timer | undefined;
}

/**
 * Decides from heartbeats and gossip which nodes are dead. A node is dead when it has been silent for
 * the grace, and the grace is half as long while gossip says so too: neither alone is quick to judge,
 * and together they err only if the node is unreachable for managers and peers alike.
 */
export class Liveness {
  readonly #components: LivenessComponents;
  readonly #nodes = new Map<string, Watched>();
  /** Node id to the nodes whose gossip has it dead. */
  readonly #deadBy = new Map<string, Set<string>>();

  constructor(components: LivenessComponents) {
    this.#components = components;
  }

  /** Expects a node that has not been heard of under this leader. */
  expect(nodeId: string): void {
    this.#watch(nodeId, UNKNOWN_GRACE_PERIODS);
  }

  /** Notes a sign of life. Returns the time until the next is due, milliseconds. */
  beat(nodeId: string): number {
    return this.#watch(nodeId, GRACE_PERIODS).period;
  }

  /** Notes that the gossip of node `by` has the node dead, or not any more. */
  gossip(nodeId: string, dead: boolean, by: string): void {
    const reporters = this.#deadBy.get(nodeId) ?? new Set();
    if (dead) reporters.add(by);
    else reporters.delete(by);
    if (reporters.size > 0) this.#deadBy.set(nodeId, reporters);
    else this.#deadBy.delete(nodeId);
    this.#arm(nodeId);
  }

  forget(nodeId: string): void {
    this.#nodes.get(nodeId)?.timer?.cancel();
    this.#nodes.delete(nodeId);
  }

  stop(): void {
    for (const nodeId of [...this.#nodes.keys()]) this.forget(nodeId);
  }

  #watch(nodeId: string, gracePeriods: number): Watched {
    const { clock, random, period } = this.#components;
    const spread = 1 + (2 * random.float() - 1) * HEARTBEAT_SPREAD;
    const watched: Watched = {
      lastBeat: clock.monotonic(),
      period: period() * spread,
      gracePeriods,
      timer: this.#nodes.get(nodeId)?.timer,
    };
    this.#nodes.set(nodeId, watched);
    this.#arm(nodeId);
    return watched;
  }

  #arm(nodeId: string): void {
    const watched = this.#nodes.get(nodeId);
    if (!watched) return;
    const { clock, onDead } = this.#components;
    const grace = this.#deadBy.has(nodeId)
      ? Math.min(GOSSIP_DEAD_PERIODS, watched.gracePeriods)
      : watched.gracePeriods;
    const deadline = watched.lastBeat + grace * watched.period;
    watched.timer?.cancel();
    watched.timer = clock.setTimer(Math.max(0, deadline - clock.monotonic()), () => {
      this.#nodes.delete(nodeId);
      onDead(nodeId);
    });
  }
}
