import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../common/atomic-file.ts';

/** One JSON value on disk, replaced as a whole: a reader finds the old one or the new one. */
export class StateFile<T> {
  readonly #path: string;
  #saving: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  async load(): Promise<T | undefined> {
    try {
      return JSON.parse(await readFile(this.#path, 'utf8')) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Saves happen in the order of the calls. */
  save(value: T): Promise<void> {
    const text = `${JSON.stringify(value, undefined, 2)}\n`;
    const saving = this.#saving.then(() => writeFileAtomic(this.#path, text));
    this.#saving = saving.catch(() => {});
    return saving;
  }
}
