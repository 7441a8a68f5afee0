import { mkdir } from 'node:fs/promises';
import { Level } from 'level';
import { checkLevelFiles } from '../../common/level-files.ts';
import { WriteMark } from '../../common/write-mark.ts';

export type LogOp =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: string };

export interface KeyRange {
  readonly gte: string;
  readonly lt: string;
}

/**
 * What the log needs of a disk: ordered keys and atomic batches. A write without `sync` may be lost in
 * a crash, together with all that came after it; one that was cut short is not there at all.
 */
export interface LogDb {
  /** Rejects when something is missing that a synced write has put there. */
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: string): Promise<Buffer | undefined>;
  put(key: string, value: Buffer, options: { readonly sync: boolean }): Promise<void>;
  batch(ops: readonly LogOp[], options: { readonly sync: boolean }): Promise<void>;
  keys(range?: KeyRange): Promise<string[]>;
  /** In key order. */
  entries(range: KeyRange): AsyncIterable<readonly [key: string, value: Buffer]>;
  /**
   * Drops the old values of keys that were written anew, and makes durable what was written before
   * this was called: LevelDB moves it into tables, and syncs those before it drops anything.
   */
  compact(): Promise<void>;
}

export type OpenLogDb = (dir: string) => LogDb;

const WRITE_BUFFER_BYTES = 8 * 1024 * 1024;

/** Sorts before all keys of the log. */
const COUNT_KEY = '#synced';
const OWN_KEYS = { gte: '$', lt: '~' };

/** LevelDB in the directory `dir`, which is made if need be; `<dir>.mark` is its `WriteMark`. */
export function levelLogDb(dir: string): LogDb {
  const mark = new WriteMark(`${dir}.mark`);
  // Made when it is opened: it would begin by itself, and the files are to be looked at before.
  let db!: Level<string, Buffer>;
  return {
    async open() {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await checkLevelFiles(dir);
      db = new Level(dir, {
        valueEncoding: 'buffer',
        compression: false,
        writeBufferSize: WRITE_BUFFER_BYTES,
      });
      await db.open();
      try {
        await mark.open(await db.get(COUNT_KEY));
      } catch (error) {
        await db.close();
        throw error;
      }
    },
    async close() {
      await db?.close();
      await mark.close();
    },
    get: (key) => db.get(key),
    put: (key, value, options) => db.put(key, value, options),
    async batch(ops, options) {
      if (!options.sync) return db.batch([...ops], options);
      const counted = { type: 'put', key: COUNT_KEY, value: mark.next() } as const;
      await db.batch([...ops, counted], options);
      mark.wrote(options);
    },
    keys: (range) => db.keys(range ?? OWN_KEYS).all(),
    entries: (range) => db.iterator(range),
    compact() {
      // LevelDB has it, the common interface of `level` does not.
      const native = db as unknown as { compactRange(start: string, end: string): Promise<void> };
      return native.compactRange('', OWN_KEYS.lt);
    },
  };
}
