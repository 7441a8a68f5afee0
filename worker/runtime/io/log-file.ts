import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  unlinkSync,
  write,
  writeSync,
} from 'node:fs';
import type { Clock } from '../../../common/clock.ts';
import { encodeRecord, LineSplitter, type LogStream, type Stamper } from './log-format.ts';

/** Above this the container's output is read no further until the disk has caught up. */
const PENDING_BYTES_MAX = 1024 * 1024;
const SYNC_BYTES_MAX = 16 * 1024;
const SLOW_MS = 2;
const SLOW_FOR_MS = 1000;

export interface LogFileInit {
  readonly path: string;
  readonly maxBytes: number;
  /** The current file included. */
  readonly maxFiles: number;
}

/**
 * The log of one container. Writes are made one at a time and in order. Files are numbered
 * by generation: the current one is at `path`, generation `g` before it at `path.<current - g>`.
 */
export class LogFile {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #maxFiles: number;
  readonly #clock: Clock;
  readonly #stamper: Stamper;
  readonly #splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() };
  readonly #waiting = new Set<() => void>();
  #fd: number;
  #size: number;
  #generation = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #writing = false;
  #closed = false;
  #asyncUntil = Number.NEGATIVE_INFINITY;

  constructor(components: { clock: Clock; stamper: Stamper }, init: LogFileInit) {
    this.#clock = components.clock;
    this.path = init.path;
    this.#maxBytes = init.maxBytes;
    this.#maxFiles = init.maxFiles;
    this.#stamper = components.stamper;
    this.#fd = openSync(this.path, 'a', 0o640);
    this.#size = fstatSync(this.#fd).size;
  }

  get generation(): number {
    return this.#generation;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** False asks the caller to wait for `drained` before it sends more. */
  append(stream: LogStream, chunk: Buffer): boolean {
    this.#enqueue(stream, this.#splitters[stream].push(chunk));
    return this.#pendingBytes < PENDING_BYTES_MAX;
  }

  /** Resolves when all that was appended is in the file. */
  async drained(): Promise<void> {
    while (this.#writing) await this.changed();
  }

  /** Stores unfinished lines, closes the file, and lets followers come to their end. */
  async close(): Promise<void> {
    if (this.#closed) return;
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#enqueue(stream, this.#splitters[stream].end());
    }
    await this.drained();
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
    this.#notify();
  }

  /** Resolves with the next write, rotation or close. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #enqueue(stream: LogStream, lines: Buffer[]): void {
    if (this.#closed || lines.length === 0) return;
    for (const line of lines) {
      const record = encodeRecord(this.#stamper.next(), stream, line);
      this.#pending.push(record);
      this.#pendingBytes += record.length;
    }
    if (!this.#writing) this.#writeNext();
  }

  #writeNext(): void {
    if (this.#pending.length === 0) {
      this.#writing = false;
      this.#notify();
      return;
    }
    if (this.#size >= this.#maxBytes) this.#rotate();
    const batch = Buffer.concat(this.#pending);
    this.#pending = [];
    if (batch.length <= SYNC_BYTES_MAX && this.#clock.monotonic() >= this.#asyncUntil) {
      this.#writeNow(batch);
      this.#writeNext();
      return;
    }
    this.#writing = true;
    write(this.#fd, batch, 0, batch.length, null, (_error, written) => {
      this.#written(batch, written);
      this.#writeNext();
    });
  }

  /**
   * What was read from the container and is not in the file is lost when the daemon is killed. So
   * small writes, which only copy into the page cache, are done at once, unless the disk is so busy
   * that even those have to wait.
   */
  #writeNow(batch: Buffer): void {
    const begin = this.#clock.monotonic();
    let written = 0;
    try {
      written = writeSync(this.#fd, batch);
    } catch {
      // As below.
    }
    const end = this.#clock.monotonic();
    if (end - begin > SLOW_MS) this.#asyncUntil = end + SLOW_FOR_MS;
    this.#written(batch, written);
  }

  /** A full disk loses lines, never the container. */
  #written(batch: Buffer, written: number | undefined): void {
    this.#pendingBytes -= batch.length;
    this.#size += written ?? 0;
    this.#notify();
  }

  /** Synchronous, so that no reader sees names and generation disagree. */
  #rotate(): void {
    const name = (age: number) => (age === 0 ? this.path : `${this.path}.${age}`);
    try {
      if (this.#maxFiles <= 1) unlinkSync(this.path);
      for (let age = this.#maxFiles - 2; age >= 0; age--) {
        if (existsSync(name(age))) renameSync(name(age), name(age + 1));
      }
      const fd = openSync(this.path, 'a', 0o640);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#size = 0;
      this.#generation++;
    } catch {
      // The old file goes on, and with the next write this is tried again.
    }
  }

  #notify(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
