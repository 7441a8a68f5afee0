import type { Timer } from '../../common/clock.ts';
import type { LogFile } from '../runtime/io/log-file.ts';
import type { ProcessIo } from '../runtime/io/process-io.ts';
import type { OciSpec } from '../runtime/oci/types.ts';
import { Mutex } from './mutex.ts';
import { OutputHub } from './output-hub.ts';
import { type ContainerRecord, isActive } from './record.ts';
import { StdinGate } from './stdin-gate.ts';
import type { Container } from './types.ts';

/** One life of a container's process, from its start to the end of its clean-up. */
export interface Run {
  readonly io: ProcessIo;
  readonly log: LogFile | undefined;
  /** For further processes in the same container. */
  readonly spec: OciSpec;
  /** Resolves when the exit has been dealt with; never rejects. */
  readonly over: Promise<void>;
}

export interface ExitResult {
  readonly exitCode: number;
  readonly error?: string;
}

/** A container as the engine holds it: its record, and what exists only while the daemon runs. */
export class ContainerEntry {
  /** Start, stop, remove and networks of one container happen one after the other. */
  readonly lock = new Mutex();
  /** Attached clients; they may be there before the process is. */
  readonly output = new OutputHub();
  record: ContainerRecord;
  run: Run | undefined;
  stdin = new StdinGate();
  restartTimer: Timer | undefined;
  restartDelayMs = 0;
  /** An "oom" event was told during this run. */
  oomReported = false;
  removed = false;
  readonly #exitWaiters = new Set<(result: ExitResult) => void>();
  readonly #removalWaiters = new Set<(result: ExitResult) => void>();

  constructor(record: ContainerRecord) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  get active(): boolean {
    return isActive(this.record);
  }

  lastExit(): ExitResult {
    const { exitCode, error } = this.record.state;
    return error ? { exitCode, error } : { exitCode };
  }

  nextExit(signal?: AbortSignal): Promise<ExitResult> {
    return waitIn(this.#exitWaiters, signal);
  }

  removal(signal?: AbortSignal): Promise<ExitResult> {
    return waitIn(this.#removalWaiters, signal);
  }

  notifyExit(): void {
    notify(this.#exitWaiters, this.lastExit());
  }

  /** Whoever waits for an exit that cannot come any more is told too. */
  notifyRemoval(): void {
    const { exitCode } = this.record.state;
    notify(this.#exitWaiters, { exitCode });
    notify(this.#removalWaiters, { exitCode });
  }

  cancelRestart(): boolean {
    const waiting = this.restartTimer !== undefined;
    this.restartTimer?.cancel();
    this.restartTimer = undefined;
    return waiting;
  }

  view(): Container {
    const { record } = this;
    return {
      id: record.id,
      name: record.name,
      createdAt: record.createdAt,
      config: record.config,
      hostConfig: record.hostConfig,
      imageId: record.imageId,
      state: record.state,
      restartCount: record.restartCount,
      endpoints: record.sandbox?.info.endpoints ?? [],
      ports: record.sandbox?.info.ports ?? [],
      taskId: record.taskId,
    };
  }
}

type Waiters = Set<(result: ExitResult) => void>;

function waitIn(waiters: Waiters, signal?: AbortSignal): Promise<ExitResult> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      waiters.delete(done);
      reject(signal?.reason);
    };
    const done = (result: ExitResult) => {
      signal?.removeEventListener('abort', onAbort);
      resolve(result);
    };
    waiters.add(done);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function notify(waiters: Waiters, result: ExitResult): void {
  for (const done of [...waiters]) {
    waiters.delete(done);
    done(result);
  }
}
