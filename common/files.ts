import { access, readFile, rm } from 'node:fs/promises';
import { writeFileAtomic } from './atomic-file.ts';

/** The few small files that a part of the daemon keeps, so that a simulated disk can hold them too. */
export interface Files {
  /** Undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** Whether there is a file or a folder. */
  exists(path: string): Promise<boolean>;
  /** Replaces the whole file: after a crash the old content is there or the new, never a mixture. */
  write(path: string, text: string, mode: number): Promise<void>;
  /** A file, or a folder with all that is in it; nothing happens when there is neither. */
  remove(path: string): Promise<void>;
}

/** Those of this machine. */
export const machineFiles: Files = {
  async read(path) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
  exists: (path) =>
    access(path).then(
      () => true,
      () => false,
    ),
  write: writeFileAtomic,
  remove: (path) => rm(path, { recursive: true, force: true }),
};
