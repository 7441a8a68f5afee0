import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { endsWithin } from '../../common/deadline.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { NetDriverApi } from '../../netdriver/index.ts';
import { callMessage, isNotFound } from '../runtime/containerd/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { signalNumber } from '../runtime/signals.ts';
import type { ContainerEntry } from './container.ts';
import type { EventBus } from './events.ts';
import { startFailureCode } from './exit-code.ts';
import type { ExitHandler } from './exit-handler.ts';
import { type HealthChecks, servesTraffic } from './health.ts';
import type { InjectedFiles } from './injected-files.ts';
import type { Sandboxes } from './sandboxes.ts';
import type { Started, Starter } from './starter.ts';
import type { ContainerTable } from './table.ts';
import type { Volumes } from './volumes.ts';

/** The exit code when the reason is not the program. */
const CANNOT_START = 128;
const SIGKILL = 9;
const STOP_TIMEOUT_S = 10;
/** After SIGKILL only the kernel can be in the way. */
const KILL_TIMEOUT_MS = 10_000;

export interface LifecycleComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly netdriver: NetDriverApi;
  readonly table: ContainerTable;
  readonly starter: Starter;
  readonly sandboxes: Sandboxes;
  readonly exits: ExitHandler;
  readonly health: HealthChecks;
  readonly volumes: Volumes;
  readonly files: InjectedFiles;
  readonly events: EventBus;
}

export interface LifecycleInit {
  readonly containersDir: string;
  readonly ioDir: string;
}

export interface StopOptions {
  readonly timeout?: number; // seconds
  readonly signal?: string;
}

/** Starts, stops and removes containers. Each acts on one container under its lock. */
export class Lifecycle {
  readonly #parts: LifecycleComponents;
  readonly #init: LifecycleInit;

  constructor(components: LifecycleComponents, init: LifecycleInit) {
    this.#parts = components;
    this.#init = init;
  }

  /** False when it ran already. */
  start(entry: ContainerEntry): Promise<boolean> {
    return entry.lock.run(async () => {
      const { status } = entry.record.state;
      this.#mustExist(entry);
      if (status === 'running') return false;
      if (status === 'paused') {
        throw conflict('cannot start a paused container, try unpause instead');
      }
      if (status === 'removing' || status === 'dead') {
        throw conflict('container is marked for removal and cannot be started');
      }
      entry.cancelRestart();
      entry.restartDelayMs = 0;
      await this.#parts.table.update(entry, { restartCount: 0, stoppedByUser: false });
      await this.#start(entry);
      return true;
    });
  }

  /** After an exit, when the restart policy's delay is over. */
  async startAgain(entry: ContainerEntry): Promise<void> {
    await entry.lock.run(async () => {
      if (entry.removed || entry.active || entry.record.stoppedByUser) return;
      await this.#parts.table.update(entry, { restartCount: entry.record.restartCount + 1 });
      await this.#start(entry);
    });
  }

  /** False when it did not run. */
  stop(entry: ContainerEntry, options: StopOptions = {}): Promise<boolean> {
    return entry.lock.run(async () => {
      this.#mustExist(entry);
      return this.#stop(entry, options);
    });
  }

  restart(entry: ContainerEntry, options: StopOptions = {}): Promise<void> {
    return entry.lock.run(async () => {
      this.#mustExist(entry);
      await this.#stop(entry, options);
      entry.restartDelayMs = 0;
      await this.#parts.table.update(entry, { stoppedByUser: false });
      await this.#start(entry);
      this.#parts.events.container('restart', entry.record);
    });
  }

  /** Not under the lock: a stop that takes long can be cut short. */
  async kill(entry: ContainerEntry, signal = 'SIGKILL'): Promise<void> {
    const number = signalNumber(signal || 'SIGKILL');
    if (!entry.active) {
      throw conflict(`cannot kill container: ${entry.id}: container ${entry.id} is not running`);
    }
    const stops = number === SIGKILL || number === signalNumber(stopSignalOf(entry));
    // Killed by its user: the restart policy leaves it alone.
    if (stops) await this.#parts.table.update(entry, { stoppedByUser: true });
    await this.#signal(entry, number);
  }

  async pause(entry: ContainerEntry): Promise<void> {
    await entry.lock.run(async () => {
      const { status } = entry.record.state;
      if (status === 'paused') throw conflict(`container ${entry.id} is already paused`);
      if (status !== 'running') throw conflict(`container ${entry.id} is not running`);
      await this.#parts.runtime.tasks.pause(entry.id);
      await this.#parts.table.updateState(entry, { status: 'paused' });
      this.#parts.health.stop(entry);
      this.#parts.events.container('pause', entry.record);
    });
  }

  async unpause(entry: ContainerEntry): Promise<void> {
    await entry.lock.run(async () => {
      if (entry.record.state.status !== 'paused') {
        throw conflict(`container ${entry.id} is not paused`);
      }
      await this.#parts.runtime.tasks.resume(entry.id);
      await this.#parts.table.updateState(entry, { status: 'running' });
      this.#parts.health.start(entry);
      this.#parts.events.container('unpause', entry.record);
    });
  }

  async remove(
    entry: ContainerEntry,
    options: { force: boolean; volumes: boolean },
  ): Promise<void> {
    await entry.lock.run(async () => {
      this.#mustExist(entry);
      const { state, name } = entry.record;
      if (entry.active && !options.force) {
        const how =
          state.status === 'paused'
            ? 'container is paused and must be unpaused first'
            : 'container is running: stop the container before removing or force remove';
        throw conflict(`cannot remove container "/${name}": ${how}`);
      }
      const before = state.status;
      entry.cancelRestart();
      await this.#parts.table.update(entry, { stoppedByUser: true });
      if (entry.active) await this.#killAndWait(entry);
      try {
        await this.#remove(entry, options.volumes);
      } catch (error) {
        const status = before === 'created' ? 'created' : 'dead';
        await this.#parts.table.updateState(entry, { status, error: errorMessage(error) });
        throw error;
      }
    });
  }

  /** A container with --rm has ended. */
  async autoRemove(entry: ContainerEntry): Promise<void> {
    await entry.lock.run(async () => {
      if (!entry.removed && !entry.active) await this.#remove(entry, true);
    });
  }

  async #start(entry: ContainerEntry): Promise<void> {
    const { events, table } = this.#parts;
    let started: Started;
    try {
      started = await this.#parts.starter.start(entry);
    } catch (error) {
      await this.#startFailed(entry, error);
      throw error;
    }
    const run = this.#parts.exits.watch(entry, started);
    entry.run = run;
    await table.update(entry, {
      attachments: started.sandbox.attachments,
      ...this.#sandboxOf(entry),
      healthLog: [],
      failingStreak: 0,
      state: {
        status: 'running',
        pid: started.pid,
        exitCode: 0,
        error: '',
        oomKilled: false,
        startedAt: started.startedAt,
        finishedAt: entry.record.state.finishedAt,
        health: 'none',
      },
    });
    for (const { networkId, networkName } of started.sandbox.info.endpoints) {
      events.emit('network', 'connect', networkId, {
        container: entry.id,
        name: networkName,
      });
    }
    events.container('start', entry.record);
    await this.#parts.health.begin(entry);
    run.announce();
  }

  #sandboxOf(entry: ContainerEntry) {
    const sandbox = this.#parts.netdriver.sandbox(entry.id);
    return sandbox ? { sandbox } : {};
  }

  async #startFailed(entry: ContainerEntry, error: unknown): Promise<void> {
    const message = errorMessage(error);
    const exitCode = startFailureCode(message, CANNOT_START);
    const { status } = entry.record.state;
    const after = status === 'created' ? 'created' : 'exited';
    await this.#parts.table.updateState(entry, { status: after, exitCode, error: message, pid: 0 });
    this.#parts.events.container('die', entry.record, { exitCode: String(exitCode) });
    // As with Docker, a start that failed is no exit: its caller knows. A restart has no caller.
    if (status === 'restarting') entry.notifyExit();
    if (entry.record.hostConfig.AutoRemove) {
      await this.#remove(entry, true).catch((problem: unknown) => {
        this.#parts.logger.warn({ err: problem, id: entry.id }, 'removing a container failed');
      });
    }
  }

  async #stop(entry: ContainerEntry, options: StopOptions): Promise<boolean> {
    const { clock, events, table } = this.#parts;
    const number = signalNumber(options.signal || stopSignalOf(entry));
    const seconds = options.timeout ?? entry.record.config.StopTimeout ?? STOP_TIMEOUT_S;
    await table.update(entry, { stoppedByUser: true });
    if (entry.cancelRestart()) {
      await table.updateState(entry, { status: 'exited' });
      entry.notifyExit();
      return true;
    }
    const { run } = entry;
    if (!run || !entry.active) return false;
    if (servesTraffic(entry)) await this.#keepTrafficOut(entry);
    if (entry.record.state.status === 'paused') {
      await this.#parts.runtime.tasks.resume(entry.id).catch(() => {});
    }
    await this.#signal(entry, number);
    const grace = seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
    if (!(await endsWithin(clock, grace, run.over))) await this.#killAndWait(entry);
    events.container('stop', entry.record);
    return true;
  }

  /** Resolves when the nodes that balance onto it have had time to follow. */
  async #keepTrafficOut(entry: ContainerEntry): Promise<void> {
    const { logger, netdriver, table } = this.#parts;
    try {
      await netdriver.disableService(entry.id);
      const sandbox = netdriver.sandbox(entry.id);
      if (sandbox && entry.active) await table.update(entry, { sandbox });
    } catch (error) {
      // A stop that was asked for happens, drained or not.
      logger.warn({ err: error, id: entry.id }, 'taking a container out of its services failed');
    }
  }

  async #killAndWait(entry: ContainerEntry): Promise<void> {
    const { run } = entry;
    if (!run) return;
    await this.#signal(entry, SIGKILL);
    if (await endsWithin(this.#parts.clock, KILL_TIMEOUT_MS, run.over)) return;
    const { pid } = entry.record.state;
    throw new SwarmError(
      'SWM_INTERNAL',
      `container ${entry.id} PID ${pid} is zombie and can not be killed`,
    );
  }

  async #signal(entry: ContainerEntry, number: number): Promise<void> {
    try {
      await this.#parts.runtime.tasks.kill(entry.id, number);
    } catch (error) {
      // It has ended; its exit is on the way.
      const over = isNotFound(error) || /process already finished/.test(callMessage(error));
      if (!over) throw new SwarmError('SWM_INTERNAL', callMessage(error), { cause: error });
    }
    // A frozen process dies only when it is thawed.
    if (entry.record.state.status === 'paused' && number === SIGKILL) {
      await this.#parts.runtime.tasks.resume(entry.id).catch(() => {});
    }
    this.#parts.events.container('kill', entry.record, { signal: String(number) });
  }

  async #remove(entry: ContainerEntry, volumes: boolean): Promise<void> {
    const { events, files, runtime, sandboxes, table } = this.#parts;
    const { id } = entry;
    await table.updateState(entry, { status: 'removing' });
    await entry.run?.over;
    await Promise.all([
      sandboxes.close(entry.record),
      runtime.tasks.undefine(id).then(() => runtime.snapshots.remove(id)),
      files.remove(id),
      rm(join(this.#init.containersDir, id), { recursive: true, force: true }),
      rm(join(this.#init.ioDir, id), { recursive: true, force: true }),
    ]);
    await table.delete(entry);
    if (volumes) await this.#removeAnonymousVolumes(entry);
    events.container('destroy', entry.record);
    entry.notifyRemoval();
  }

  async #removeAnonymousVolumes(entry: ContainerEntry): Promise<void> {
    for (const { anonymous, name } of entry.record.mounts) {
      if (!anonymous) continue;
      await this.#parts.volumes.remove(name, true).catch((error: unknown) => {
        this.#parts.logger.warn({ err: error, volume: name }, 'removing a volume failed');
      });
    }
  }

  /** Another call that held the lock may have removed it. */
  #mustExist(entry: ContainerEntry): void {
    if (entry.removed) throw new SwarmError('SWM_NOT_FOUND', `No such container: ${entry.id}`);
  }
}

function stopSignalOf(entry: ContainerEntry): string {
  return entry.record.config.StopSignal || 'SIGTERM';
}

function conflict(message: string): SwarmError {
  return new SwarmError('SWM_CONFLICT', message);
}
