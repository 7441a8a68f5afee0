import { onAbort } from '../../common/abort.ts';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { NetDriverApi } from '../../netdriver/index.ts';
import type { ContainerEntry } from './container.ts';
import type { EventBus } from './events.ts';
import type { Execs } from './execs.ts';
import { evaluateProbe, type HealthPlan, healthPlan, probeDelay } from './health-rules.ts';
import type { HealthResult } from './record.ts';
import type { ContainerTable } from './table.ts';

const OUTPUT_BYTES_MAX = 4096;
const RESULTS_KEPT = 5;

export interface HealthChecksComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: ContainerTable;
  readonly events: EventBus;
  readonly execs: Execs;
  readonly netdriver: NetDriverApi;
}

/**
 * Probes containers that ask for it, and lets services' traffic in: at once for a container without
 * a health check, else with its first success.
 */
export class HealthChecks {
  readonly #parts: HealthChecksComponents;
  readonly #running = new Map<ContainerEntry, AbortController>();

  constructor(components: HealthChecksComponents) {
    this.#parts = components;
  }

  /** For a container that was just started. */
  async begin(entry: ContainerEntry): Promise<void> {
    if (!healthPlan(entry.record.config)) return this.#enable(entry);
    await this.#parts.table.updateState(entry, { health: 'starting' });
    this.start(entry);
  }

  /** For a container that an earlier daemon left running. */
  async resume(entry: ContainerEntry): Promise<void> {
    const { health } = entry.record.state;
    if (!healthPlan(entry.record.config) || health === 'healthy') await this.#enable(entry);
    this.start(entry);
  }

  /** Goes on where a pause left off. */
  start(entry: ContainerEntry): void {
    const plan = healthPlan(entry.record.config);
    if (!plan || this.#running.has(entry)) return;
    const running = new AbortController();
    this.#running.set(entry, running);
    this.#schedule(entry, plan, running.signal);
  }

  stop(entry: ContainerEntry): void {
    this.#running.get(entry)?.abort();
    this.#running.delete(entry);
  }

  stopAll(): void {
    for (const entry of [...this.#running.keys()]) this.stop(entry);
  }

  #schedule(entry: ContainerEntry, plan: HealthPlan, signal: AbortSignal): void {
    const { clock } = this.#parts;
    const { startedAt, health } = entry.record.state;
    const delay = probeDelay(plan, { health, runningForMs: clock.now() - startedAt });
    const timer = clock.setTimer(delay, () => {
      forget();
      this.#probe(entry, plan, signal)
        .catch((error: unknown) => {
          this.#parts.logger.debug({ err: error, id: entry.id }, 'a health probe failed to run');
        })
        .finally(() => {
          if (!signal.aborted) this.#schedule(entry, plan, signal);
        });
    });
    const forget = onAbort(signal, () => timer.cancel());
  }

  async #probe(entry: ContainerEntry, plan: HealthPlan, signal: AbortSignal): Promise<void> {
    const { clock, execs } = this.#parts;
    const start = clock.now();
    let result: HealthResult;
    try {
      const { exitCode, output, timedOut } = await execs.probe(entry, plan.args, {
        timeoutMs: plan.timeoutMs,
        maxBytes: OUTPUT_BYTES_MAX,
        signal,
      });
      const late = `Health check exceeded timeout (${plan.timeoutMs / 1000}s)`;
      const text = timedOut ? `${late}${output ? `: ${output}` : ''}` : output;
      result = { start, end: clock.now(), exitCode: timedOut ? -1 : exitCode, output: text };
    } catch (error) {
      if (signal.aborted) return;
      result = { start, end: clock.now(), exitCode: -1, output: String(error) };
    }
    // It stopped meanwhile: the probe says nothing.
    if (!signal.aborted && entry.active) await this.#record(entry, plan, result);
  }

  async #record(entry: ContainerEntry, plan: HealthPlan, result: HealthResult): Promise<void> {
    const { events, table } = this.#parts;
    const { state, failingStreak, healthLog } = entry.record;
    const before = state.health;
    const next = evaluateProbe(plan, {
      health: before,
      failingStreak,
      passed: result.exitCode === 0,
      sinceStartMs: result.start - state.startedAt,
    });
    await table.update(entry, {
      healthLog: [...healthLog, result].slice(-RESULTS_KEPT),
      failingStreak: next.failingStreak,
      state: { ...state, health: next.health },
    });
    if (next.health === before) return;
    events.container(`health_status: ${next.health}`, entry.record);
    if (next.health === 'healthy') await this.#enable(entry);
  }

  /** Remembered with the sandbox, so that a daemon that takes over knows it too. */
  async #enable(entry: ContainerEntry): Promise<void> {
    const { netdriver, table } = this.#parts;
    if (!servesTraffic(entry)) return;
    await netdriver.enableService(entry.id);
    const sandbox = netdriver.sandbox(entry.id);
    if (sandbox && entry.active) await table.update(entry, { sandbox });
  }
}

/** It stands for a service's task behind some load balancer. */
export function servesTraffic(entry: ContainerEntry): boolean {
  return entry.record.taskEndpoints.some(({ service }) => service !== undefined);
}
