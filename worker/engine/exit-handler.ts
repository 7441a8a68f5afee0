import { setMaxListeners } from 'node:events';
import type { Clock } from '../../common/clock.ts';
import { endsWithin } from '../../common/deadline.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { EndpointInfo } from '../../netdriver/index.ts';
import { oomKills } from '../runtime/cgroup-stats.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ProcessExit } from '../runtime/task.ts';
import type { ContainerEntry, Run } from './container.ts';
import type { EventBus } from './events.ts';
import type { HealthChecks } from './health.ts';
import { volumesOf } from './record.ts';
import { restartDelay, shouldRestart } from './restart-policy.ts';
import type { Sandboxes } from './sandboxes.ts';
import { StdinGate } from './stdin-gate.ts';
import type { ContainerTable } from './table.ts';
import type { Volumes } from './volumes.ts';

/** What Docker reports for a process whose end nobody saw. */
const LOST_EXIT_CODE = 255;
/** For a program's last output, when a stray process holds the pipe open. */
const DRAIN_TIMEOUT_MS = 2_000;

export interface ExitHandlerComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly table: ContainerTable;
  readonly sandboxes: Sandboxes;
  readonly volumes: Volumes;
  readonly health: HealthChecks;
  readonly events: EventBus;
}

/** What happens next is decided elsewhere: both act under the container's lock. */
export interface AfterExit {
  startAgain(entry: ContainerEntry): Promise<void>;
  autoRemove(entry: ContainerEntry): Promise<void>;
}

type RunParts = Pick<Run, 'io' | 'log' | 'spec'>;

/** Watches running processes, and cleans up after them when they end. */
export class ExitHandler {
  readonly #parts: ExitHandlerComponents;
  readonly #cgroupParent: string;
  readonly #stopping = new AbortController();
  after: AfterExit | undefined;

  constructor(components: ExitHandlerComponents, init: { cgroupParent: string }) {
    this.#parts = components;
    this.#cgroupParent = init.cgroupParent;
    // Every running container listens.
    setMaxListeners(0, this.#stopping.signal);
  }

  /** From now on exits are the next daemon's. */
  stop(): void {
    this.#stopping.abort();
  }

  /**
   * Waits for the process's end. It is dealt with no sooner than `announce` is called, so that
   * nobody hears of an exit before the start.
   */
  watch(entry: ContainerEntry, parts: RunParts): Run & { announce(): void } {
    let announce = () => {};
    const announced = new Promise<void>((resolve) => {
      announce = resolve;
    });
    const over = this.#watch(entry, parts, announced);
    return { io: parts.io, log: parts.log, spec: parts.spec, over, announce };
  }

  async #watch(entry: ContainerEntry, parts: RunParts, announced: Promise<void>): Promise<void> {
    const { clock, runtime } = this.#parts;
    const { signal } = this.#stopping;
    let exit: ProcessExit;
    try {
      exit = await runtime.tasks.wait(entry.id, '', signal);
    } catch {
      // The daemon stops: the container goes on without being watched.
      if (signal.aborted) return;
      exit = { exitCode: LOST_EXIT_CODE, exitedAt: clock.now() };
    }
    await announced;
    try {
      await this.finish(entry, exit, parts);
    } catch (error) {
      this.#parts.logger.error({ err: error, id: entry.id }, 'cleaning up after an exit failed');
    }
  }

  /** Records an exit and releases what the process had. */
  async finish(
    entry: ContainerEntry,
    exit: ProcessExit,
    parts: Pick<Run, 'io' | 'log'> | undefined,
    init: { restart: boolean } = { restart: true },
  ): Promise<void> {
    const { clock, health, runtime, table } = this.#parts;
    health.stop(entry);
    const endpoints = entry.record.sandbox?.info.endpoints ?? [];
    const oomKilled = await this.#wasOutOfMemory(entry);
    await runtime.tasks.delete(entry.id);
    if (parts) {
      await endsWithin(clock, DRAIN_TIMEOUT_MS, parts.io.ended);
      await parts.io.remove();
      await parts.log?.close();
    }
    entry.stdin.close();
    entry.stdin = new StdinGate();
    await this.#release(entry);
    const { sandbox: _, ...record } = entry.record;
    const ranForMs = Math.max(0, exit.exitedAt - record.state.startedAt);
    const restarts = init.restart && shouldRestart(record, exit.exitCode);
    entry.record = record;
    entry.run = undefined;
    await table.update(entry, {
      attachments: [],
      state: {
        ...record.state,
        status: restarts ? 'restarting' : 'exited',
        pid: 0,
        exitCode: exit.exitCode,
        oomKilled,
        finishedAt: exit.exitedAt,
      },
    });
    this.#announce(entry, endpoints, ranForMs);
    entry.output.end();
    if (restarts) this.#scheduleRestart(entry, ranForMs);
    else if (record.hostConfig.AutoRemove) this.#autoRemove(entry);
    entry.notifyExit();
  }

  #announce(entry: ContainerEntry, endpoints: readonly EndpointInfo[], ranForMs: number): void {
    const { events } = this.#parts;
    events.container('die', entry.record, {
      exitCode: String(entry.record.state.exitCode),
      execDuration: String(Math.round(ranForMs / 1000)),
    });
    for (const { networkId, networkName } of endpoints) {
      events.emit('network', 'disconnect', networkId, { container: entry.id, name: networkName });
    }
  }

  /** The runtime's event may come later than the exit; the control group knows by now. */
  async #wasOutOfMemory(entry: ContainerEntry): Promise<boolean> {
    const { events, runtime } = this.#parts;
    const parent = entry.record.hostConfig.CgroupParent || this.#cgroupParent;
    const kills = await oomKills(`${parent}/${entry.id}`, runtime.features.cgroupVersion);
    if (kills > 0 && !entry.oomReported) events.container('oom', entry.record);
    entry.oomReported = false;
    return kills > 0;
  }

  async #release(entry: ContainerEntry): Promise<void> {
    const { logger, sandboxes, volumes } = this.#parts;
    const results = await Promise.allSettled([
      sandboxes.close(entry.record),
      volumes.release(volumesOf(entry.record), entry.id),
    ]);
    for (const result of results) {
      if (result.status === 'fulfilled') continue;
      logger.error({ err: result.reason, id: entry.id }, 'releasing what a container had failed');
    }
  }

  #scheduleRestart(entry: ContainerEntry, ranForMs: number): void {
    entry.restartDelayMs = restartDelay(entry.restartDelayMs, ranForMs);
    entry.restartTimer = this.#parts.clock.setTimer(entry.restartDelayMs, () => {
      entry.restartTimer = undefined;
      if (this.#stopping.signal.aborted) return;
      this.after?.startAgain(entry).catch((error: unknown) => {
        const reason = errorMessage(error);
        this.#parts.logger.warn({ id: entry.id, reason }, 'restarting a container failed');
        if (shouldRestart(entry.record, entry.record.state.exitCode)) {
          this.#scheduleRestart(entry, 0);
        }
      });
    });
  }

  #autoRemove(entry: ContainerEntry): void {
    this.after?.autoRemove(entry).catch((error: unknown) => {
      this.#parts.logger.warn({ err: error, id: entry.id }, 'removing a container failed');
    });
  }
}
