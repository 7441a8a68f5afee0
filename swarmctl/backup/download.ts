import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CliError } from '../cli-error.ts';
import { checkBackup } from './check-backup.ts';
import type { BackupManifest } from './manifest.ts';

/** Writes the backup, reads it back, and only then gives it its name. Readable by its owner alone. */
export async function download(source: Readable, path: string): Promise<BackupManifest> {
  const partial = join(dirname(path), `.${basename(path)}.partial`);
  try {
    await rm(partial, { force: true });
    const options = { flags: 'wx', mode: 0o600, flush: true };
    await pipeline(source, createWriteStream(partial, options));
    const manifest = await checkBackup(partial);
    await rename(partial, path);
    return manifest;
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    if (error instanceof CliError) throw error;
    throw new CliError(`cannot write ${path}: ${(error as Error).message}`);
  }
}
