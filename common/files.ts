import { access, readFile, rename, rm } from 'node:fs/promises';
import { writeFileAtomic } from './atomic-file.ts';

/**
 * Small text files, so that code which keeps its state in them can run on a simulated disk. Every
 * method rejects with the error of the file system when that fails.
 */
export interface Files {
  /** The content as UTF-8; undefined when there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** Whether there is a file or a folder at this path. */
  exists(path: string): Promise<boolean>;
  /** Replaces the whole file: after a crash the old content is there or the new, never a mixture. */
  write(path: string, text: string, mode: number): Promise<void>;
  /**
   * Removes a file, or a folder with all that is in it; nothing happens when there is neither. After a
   * crash all of it is there or nothing, never a part of a folder.
   */
  remove(path: string): Promise<void>;
}

/** The file system of this machine. */
export const machineFiles: Files = {
  async read(path) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  async exists(path) {
    try {
      await access(path);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  },
  write: writeFileAtomic,
  /** Moves it aside first. What a crash leaves there is removed with the next call. */
  async remove(path) {
    const aside = `${path}.removed`;
    await removeAll(aside);
    try {
      await rename(path, aside);
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    await removeAll(aside);
  },
};

function removeAll(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true });
}

/** A disk that cannot be read is no proof that nothing is there. */
function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
