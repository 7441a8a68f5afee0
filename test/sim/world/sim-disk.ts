import type { Files } from '../../../common/files.ts';
import { type Random, randomInt } from '../../../common/random.ts';
import type { LogDb, LogOp } from '../../../manager/consensus/index.ts';
import type { KeyRange } from '../../../manager/consensus/log-db.ts';
import { isBelow, SimFiles } from './sim-files.ts';
import type { SimProcess } from './sim-process.ts';

interface Batch {
  readonly ops: readonly LogOp[];
  readonly sync: boolean;
}

type Contents = Map<string, Buffer>;

/** Milliseconds that a write takes, and one that waits for the platter. */
const WRITE_MS = [0.01, 0.1] as const;
const SYNC_MS = [0.2, 4] as const;

/**
 * The disk of one host, below any number of lives of its process: a log of batches in the manner of
 * LevelDB. A crash keeps what was synced and some of the rest, from the front: of the batches that
 * were written and not yet synced a prefix survives, and the one that was being written when power
 * went is there whole or, when torn, not at all.
 */
export class SimDisk {
  readonly #random: Random;
  readonly #files: SimFiles;
  #durable: Contents = new Map();
  /** Written after the last sync, the last one maybe in part. */
  #volatile: Batch[] = [];
  /** How many times longer everything takes than it does on a good day. */
  slowness = 1;
  /** The same for reading values, if that is more. */
  readSlowness = 1;
  #failing: Error | undefined;

  constructor(components: { readonly random: Random }) {
    this.#random = components.random;
    this.#files = new SimFiles(components);
  }

  /** Every write fails from now on; undefined mends it. */
  setFailing(error: Error | undefined): void {
    this.#failing = error;
  }

  wipe(): void {
    this.#durable = new Map();
    this.#volatile = [];
    this.#files.wipe();
  }

  /** Power is lost. Returns how many batches are gone. */
  crash(): number {
    this.#files.crash();
    const kept = randomInt(this.#random, 0, this.#volatile.length);
    const lost = this.#volatile.length - kept;
    for (const batch of this.#volatile.slice(0, kept)) apply(this.#durable, batch.ops);
    this.#volatile = [];
    return lost;
  }

  /**
   * One bit of the database, or of a file below `dir`, changes by itself. Returns the key or the path
   * that it was in, if there is any.
   */
  flip(dir: string): string | undefined {
    const all = new Map([...this.#durable, ...this.#files.below(dir)]);
    const names = [...all.keys()];
    const name = names[randomInt(this.#random, 0, names.length - 1)];
    if (name === undefined) return undefined;
    const value = Buffer.from(all.get(name)!);
    const bit = randomInt(this.#random, 0, 8 * value.length - 1);
    value[bit >> 3]! ^= 1 << (bit & 7);
    if (this.#durable.has(name)) this.#durable.set(name, value);
    else this.#files.put(name, value);
    return name;
  }

  /** The process ended, the host did not: what it handed to the system is safe. */
  survive(): void {
    for (const batch of this.#volatile) apply(this.#durable, batch.ops);
    this.#volatile = [];
    this.#files.survive();
  }

  /** What a crash at this moment leaves for sure. */
  durable(key: string): Buffer | undefined {
    return this.#durable.get(key);
  }

  /** The last of the keys in `range` that a crash at this moment leaves for sure. */
  lastDurableKey(range: KeyRange): string | undefined {
    let last: string | undefined;
    for (const key of this.#durable.keys()) {
      if (isIn(key, range) && (last === undefined || key > last)) last = key;
    }
    return last;
  }

  /** The database as `process` sees it. Nothing that it began is finished once the process has ended. */
  openFor(process: SimProcess): LogDb {
    const view: Contents = new Map();
    const take = (ms: readonly [number, number]) => pause(process, this.#duration(ms));
    const write = async (ops: readonly LogOp[], sync: boolean) => {
      // Where in this time the batch reaches the platter is not known: see `crash`.
      const batch = { ops, sync };
      const half = this.#duration(sync ? SYNC_MS : WRITE_MS) / 2;
      await pause(process, half);
      if (this.#failing) throw this.#failing;
      this.#volatile.push(batch);
      await pause(process, half);
      if (this.#failing) throw this.#failing;
      apply(view, ops);
      if (sync) this.#sync(batch);
    };
    return {
      open: async () => {
        await take(SYNC_MS);
        this.survive();
        for (const [key, value] of this.#durable) view.set(key, value);
      },
      close: () => take(WRITE_MS),
      get: async (key) => {
        const times = Math.max(1, this.readSlowness / this.slowness);
        await pause(process, this.#duration(WRITE_MS) * times);
        return view.get(key);
      },
      put: (key, value, { sync }) => write([{ type: 'put', key, value }], sync),
      batch: (ops, { sync }) => write(ops, sync),
      keys: async (range) => {
        await take(WRITE_MS);
        return [...view.keys()].filter((key) => isIn(key, range)).sort();
      },
      entries: async function* (range) {
        await take(WRITE_MS);
        const keys = [...view.keys()].filter((key) => isIn(key, range)).sort();
        for (const key of keys) yield [key, view.get(key)!] as const;
      },
      compact: async () => {
        const last = this.#volatile.at(-1);
        await take(SYNC_MS);
        if (this.#failing) throw this.#failing;
        if (last) this.#sync(last);
      },
    };
  }

  /** The files as `process` sees them, with the database as the folder `logDir` among them. */
  filesFor(process: SimProcess, logDir: string): Files {
    const take = () => pause(process, this.#duration(SYNC_MS) / 2);
    const files = this.#files;
    const hasLog = () => this.#durable.size + this.#volatile.length > 0;
    return {
      read: async (path) => {
        await take();
        return files.get(path)?.toString();
      },
      exists: async (path) => {
        await take();
        return files.get(path) !== undefined || (path === logDir && hasLog());
      },
      write: async (path, text) => {
        // Where in this time the rename reaches the platter is not known, as with a batch.
        await take();
        if (this.#failing) throw this.#failing;
        files.rename(path, Buffer.from(text));
        await take();
        files.sync(path);
      },
      remove: async (path) => {
        await take();
        files.remove(path);
        if (!isBelow(logDir, path)) return;
        this.#durable = new Map();
        this.#volatile = [];
      },
    };
  }

  #sync(batch: Batch): void {
    const count = this.#volatile.indexOf(batch) + 1;
    for (const { ops } of this.#volatile.splice(0, count)) apply(this.#durable, ops);
  }

  #duration([low, high]: readonly [number, number]): number {
    return (low + this.#random.float() * (high - low)) * this.slowness;
  }
}

function pause(process: SimProcess, ms: number): Promise<void> {
  return new Promise((resolve) => {
    process.schedule(ms, resolve);
  });
}

function apply(contents: Contents, ops: readonly LogOp[]): void {
  for (const op of ops) {
    if (op.type === 'put') contents.set(op.key, Buffer.from(op.value));
    else contents.delete(op.key);
  }
}

function isIn(key: string, range: KeyRange | undefined): boolean {
  return !range || (key >= range.gte && key < range.lt);
}
