import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { mkfifo, setPipeSize } from '../libc.ts';

/** Output that fits here while nobody reads, as during an upgrade of the daemon. */
const PIPE_BYTES = 1024 * 1024;
const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

export type OutputListener = (stream: 'stdout' | 'stderr', chunk: Buffer) => void;

export interface ProcessIoInit {
  /** Made by `create`, removed by `remove`. */
  readonly dir: string;
  readonly stdin: boolean;
  readonly terminal: boolean;
}

/** The FIFOs between a process and us, by the names that its shim opens. */
export interface FifoPaths {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A process's standard streams. The shim opens the FIFOs too and holds both ends, so a daemon that
 * goes away and comes back loses nothing and the process never sees a broken pipe. All descriptors
 * are non-blocking and watched by the event loop: no thread waits on them.
 */
export class ProcessIo {
  readonly paths: FifoPaths;
  readonly #init: ProcessIoInit;
  readonly #readers: Socket[] = [];
  readonly #keepers: number[] = [];
  #stdin: Socket | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(init: ProcessIoInit) {
    this.#init = init;
    this.paths = {
      stdin: init.stdin ? join(init.dir, 'in') : '',
      stdout: join(init.dir, 'out'),
      // A terminal has one output.
      stderr: init.terminal ? '' : join(init.dir, 'err'),
    };
  }

  /** Resolves when every output is read to its end. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  get stdin(): Socket | undefined {
    return this.#stdin;
  }

  /** False when the FIFOs are gone, as after a reboot. */
  exist(): boolean {
    return existsSync(this.paths.stdout);
  }

  async create(): Promise<void> {
    await rm(this.#init.dir, { recursive: true, force: true });
    await mkdir(this.#init.dir, { recursive: true, mode: 0o700 });
    for (const path of Object.values(this.paths)) if (path) mkfifo(path, 0o600);
  }

  /**
   * Starts reading. Our own write ends keep the FIFOs from being at their end before the process is
   * made; `handOver` drops them once the shim has its own. For a process that exists (not `fresh`)
   * that is at once: only when a last writer leaves does the kernel tell a reader of the end.
   */
  open(listener: OutputListener, init: { fresh: boolean }): void {
    const outputs = (['stdout', 'stderr'] as const).filter((name) => this.paths[name]);
    const ends = outputs.map((name) => this.#read(name, listener));
    this.#ended = Promise.all(ends).then(() => {});
    if (!init.fresh) this.handOver();
    if (this.paths.stdin) {
      // Both ways, because a FIFO without a reader cannot be opened for writing alone.
      const fd = openSync(this.paths.stdin, O_RDWR | O_NONBLOCK);
      this.#stdin = new Socket({ fd, readable: false, writable: true });
      this.#stdin.on('error', () => {});
    }
  }

  handOver(): void {
    for (const fd of this.#keepers.splice(0)) closeSync(fd);
  }

  pause(): void {
    for (const reader of this.#readers) reader.pause();
  }

  resume(): void {
    for (const reader of this.#readers) reader.resume();
  }

  /** Lets go of the descriptors; the FIFOs stay for the next daemon. */
  close(): void {
    this.handOver();
    for (const reader of this.#readers.splice(0)) reader.destroy();
    this.#stdin?.destroy();
  }

  async remove(): Promise<void> {
    this.close();
    await rm(this.#init.dir, { recursive: true, force: true });
  }

  #read(name: 'stdout' | 'stderr', listener: OutputListener): Promise<void> {
    const fd = openSync(this.paths[name], O_RDONLY | O_NONBLOCK);
    setPipeSize(fd, PIPE_BYTES);
    this.#keepers.push(openSync(this.paths[name], O_WRONLY | O_NONBLOCK));
    const reader = new Socket({ fd, readable: true, writable: false });
    this.#readers.push(reader);
    reader.on('data', (chunk: Buffer) => listener(name, chunk));
    reader.on('error', () => {});
    return new Promise((resolve) => reader.once('close', () => resolve()));
  }
}
