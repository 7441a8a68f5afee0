import type { Random } from '../../../common/random.ts';

type Contents = Map<string, Buffer>;

/**
 * The small files of one host, each replaced as a whole. A power failure leaves a file that was just
 * renamed with the new content or the old.
 */
export class SimFiles {
  readonly #random: Random;
  readonly #durable: Contents = new Map();
  /** Renamed, and the folder not yet synced. */
  readonly #volatile: Contents = new Map();

  constructor(components: { readonly random: Random }) {
    this.#random = components.random;
  }

  /** The content as a process sees it. */
  get(path: string): Buffer | undefined {
    return this.#volatile.get(path) ?? this.#durable.get(path);
  }

  /** The files below `dir`, as a crash at this moment certainly leaves them. */
  below(dir: string): Contents {
    return new Map([...this.#durable].filter(([path]) => isBelow(path, dir)));
  }

  put(path: string, content: Buffer): void {
    this.#durable.set(path, content);
  }

  rename(path: string, content: Buffer): void {
    this.#volatile.set(path, content);
  }

  sync(path: string): void {
    const content = this.#volatile.get(path);
    if (content) this.#durable.set(path, content);
    this.#volatile.delete(path);
  }

  remove(path: string): void {
    for (const contents of [this.#durable, this.#volatile]) {
      for (const each of contents.keys()) if (isBelow(each, path)) contents.delete(each);
    }
  }

  wipe(): void {
    this.#durable.clear();
    this.#volatile.clear();
  }

  /** Power is lost. */
  crash(): void {
    for (const [path, content] of this.#volatile) {
      if (this.#random.float() < 0.5) this.#durable.set(path, content);
    }
    this.#volatile.clear();
  }

  /** The process ended, the host did not. */
  survive(): void {
    for (const path of [...this.#volatile.keys()]) this.sync(path);
  }
}

/** `path` is `dir`, or in it. */
export function isBelow(path: string, dir: string): boolean {
  return path === dir || path.startsWith(`${dir}/`);
}
