import { type FileHandle, open, readFile } from 'node:fs/promises';
import { writeFileAtomic } from './atomic-file.ts';
import { checksumOf } from './checksum.ts';

/**
 * Notices when a database lost what it had on disk. LevelDB opens without a word when the end of its
 * log is damaged, or gone: it takes that for a write that a crash cut short. So the database counts its
 * writes, in each of them, and a small file beside it says what the count has been. A database that
 * counts less than its mark is an older one.
 *
 *   await mark.open(await db.get(KEY));        // throws if something is missing
 *   await db.batch([..., put(KEY, mark.next())], { sync });
 *   mark.wrote({ sync });
 *
 * Writes that were not synced may be lost in a power failure: they count as long as the machine is up.
 *
 * Invariant: the mark is never ahead of the disk, so it accuses nobody falsely. It may be behind by what
 * was written in the last moment before a crash, since nobody waits for it, and in a power failure
 * by some seconds, since it is not synced before `close`. Writes are not concurrent.
 */
export class WriteMark {
  readonly #path: string;
  #bootId = '';
  #file: FileHandle | undefined;
  /** Of the write that comes next, or is under way. */
  #count = 0;
  #synced = 0;
  #wanted = '';
  #written = '';
  #writing: Promise<void> | undefined;
  #failure: unknown;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * `stored` is what the database has under the key of its count. Throws an Error that says what is
   * missing. A mark that is missing, or cannot be read, is made anew.
   */
  async open(stored: Uint8Array | undefined): Promise<void> {
    const count = stored === undefined ? 0 : parseCount(Buffer.from(stored).toString('latin1'));
    if (count === undefined) throw new Error('the count of its writes is not readable');
    this.#bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
    const mark = parseMark(await readFile(this.#path, 'latin1').catch(orNothing));
    const expected = (mark?.bootId === this.#bootId ? mark.count : mark?.synced) ?? 0;
    if (expected > count) {
      const found = stored === undefined ? 'is empty' : `has only the first ${count}`;
      throw new Error(`${expected} writes were made to it, and it ${found}`);
    }
    // What was found is what counts from now on; it may not be synced yet.
    this.#count = count;
    this.#synced = Math.min(count, mark?.synced ?? 0);
    this.#wanted = this.#written = this.#text();
    await writeFileAtomic(this.#path, this.#written);
    this.#file = await open(this.#path, 'r+');
  }

  /** What to store under the key of the count in the write that comes next. */
  next(): Buffer {
    if (this.#failure !== undefined) throw this.#failure;
    this.#count++;
    return Buffer.from(formatCount(this.#count), 'latin1');
  }

  /** That write is done and, with `sync`, on disk with all that came before. */
  wrote({ sync }: { readonly sync: boolean }): void {
    if (sync) this.#synced = this.#count;
    this.#wanted = this.#text();
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** In place, and in one piece: less than a sector. */
  async #write(): Promise<void> {
    try {
      while (this.#written !== this.#wanted && this.#file) {
        const text = this.#wanted;
        await this.#file.write(text, 0, 'latin1');
        this.#written = text;
      }
    } catch (error) {
      // Told to whoever writes next: a disk that does not take this is not to be relied on.
      this.#failure = error;
    }
  }

  #text(): string {
    return formatMark({ count: this.#count, synced: this.#synced, bootId: this.#bootId });
  }
}

interface Mark {
  readonly count: number;
  readonly synced: number;
  /** Of the kernel under which `count` was reached. */
  readonly bootId: string;
}

const DIGITS = 16;

function formatCount(count: number): string {
  return withChecksum(digitsOf(count));
}

function formatMark({ count, synced, bootId }: Mark): string {
  return withChecksum(`${digitsOf(count)} ${digitsOf(synced)} ${bootId}`);
}

/** Undefined when `text` is not what `formatCount` gives. */
function parseCount(text: string): number | undefined {
  const count = Number(text.slice(0, DIGITS));
  return formatCount(count) === text ? count : undefined;
}

function parseMark(text = ''): Mark | undefined {
  const [count, synced, bootId = ''] = text.split(' ');
  const mark = { count: Number(count), synced: Number(synced), bootId };
  return formatMark(mark) === text ? mark : undefined;
}

function digitsOf(count: number): string {
  return String(count).padStart(DIGITS, '0');
}

function withChecksum(text: string): string {
  return `${text} ${checksumOf(text)}\n`;
}

function orNothing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
