import fsp, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

/** Before the operation begins, while it is under way, or when it is done and nobody knows yet. */
export type Stage = 'before' | 'during' | 'after';
export const STAGES: readonly Stage[] = ['before', 'during', 'after'];

/** One moment in the life of a process: the `nth` operation of a kind, in its order. */
export interface KillPoint {
  /** Such as `batch sync` or `rename keys.json`. */
  readonly kind: string;
  readonly stage: Stage;
  /** From 1. */
  readonly nth: number;
}

/**
 * Ends this process by SIGKILL at a point of its disk operations. What it did before and what it did
 * not do then follows from the point alone, not from how fast the machine is.
 */
export class KillPoints {
  /** How often each kind of operation was begun. */
  readonly counts = new Map<string, number>();
  readonly #wanted: KillPoint | undefined;
  /** Called with the kind of each operation before it begins. */
  onBegin: (kind: string) => void = () => {};

  constructor(wanted: KillPoint | undefined) {
    this.#wanted = wanted;
  }

  async around<T>(kind: string, operation: () => Promise<T>): Promise<T> {
    this.onBegin(kind);
    const nth = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, nth);
    const isIt = this.#wanted?.kind === kind && this.#wanted.nth === nth;
    const stage = this.#wanted?.stage;
    if (isIt && stage === 'before') die();
    const running = operation();
    if (isIt && stage === 'during') die();
    const result = await running;
    if (isIt && stage === 'after') die();
    return result;
  }

  /** Has every file that is written, synced, renamed or removed from here on go through `around`. */
  watchFiles(): void {
    const { open, rename, rm } = fsp;
    fsp.rename = (from, to) => this.around(`rename ${nameOf(to)}`, () => rename(from, to));
    fsp.rm = (path, options) => this.around(`remove ${nameOf(path)}`, () => rm(path, options));
    fsp.open = async (path, ...rest) => {
      const opened = await this.around(`open ${nameOf(path)}`, () => open(path, ...rest));
      return this.#watched(opened, nameOf(path));
    };
    syncBuiltinESMExports();
  }

  #watched(file: FileHandle, name: string): FileHandle {
    const { writeFile, sync, write } = file;
    file.writeFile = (...args) => this.around(`write ${name}`, () => writeFile.apply(file, args));
    file.sync = () => this.around(`sync ${name}`, () => sync.call(file));
    file.write = ((...args: Parameters<typeof write>) =>
      this.around(`write ${name}`, () => write.apply(file, args))) as typeof write;
    return file;
  }
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal is there before this returns.
  throw new Error('not reached');
}

/** Of a file that is written under another name first, the one that it is for. */
function nameOf(path: unknown): string {
  return basename(String(path)).replace(/^\.(.+)\.[0-9a-f]{12}$/, '$1');
}
