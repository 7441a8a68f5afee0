import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../common/atomic-file.ts';
import { decodeChecked, encodeChecked } from '../common/checksum.ts';
import { damagedFile } from '../common/damage.ts';
import { errorMessage, type SwarmError } from '../common/errors.ts';

/** A JSON file that outlives the daemon: always whole, as the last save or the one before left it. */
export class StateFile<T extends object> {
  readonly #path: string;
  #saving: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined when there is none. Throws SWM_DAMAGED when it is not what was saved. */
  async load(): Promise<T | undefined> {
    try {
      return decodeChecked<T>(await readFile(this.#path, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw this.#damaged(errorMessage(error));
    }
  }

  /** For a file that is known to have been saved. */
  async loadSaved(): Promise<T> {
    const value = await this.load();
    if (value === undefined) throw this.#damaged('it is missing');
    return value;
  }

  /** Saves happen in the order of the calls. */
  save(value: T): Promise<void> {
    const text = encodeChecked(value);
    const saving = this.#saving.then(() => writeFileAtomic(this.#path, text));
    this.#saving = saving.catch(() => {});
    return saving;
  }

  #damaged(what: string): SwarmError {
    return damagedFile(this.#path, what, {
      hint:
        'Restore this file. To go on without it, delete it and the file daemon-id of the state ' +
        'directory: the networks of this node alone are then made anew, and users add theirs again.',
    });
  }
}
