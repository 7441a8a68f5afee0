import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { errorMessage, isSwarmError, SwarmError } from '../../common/errors.ts';
import {
  type BackupFile,
  type BackupManifest,
  FORMAT,
  isBackupFile,
  KEYS,
  MANIFEST,
  TLS_KEY,
} from './archive.ts';

/**
 * Unpacks a backup into the directory `target` and checks it against its manifest. Throws
 * SWM_INVALID_ARGUMENT when the archive is none, or is not as it was written.
 */
export async function unpackBackup(
  archive: AsyncIterable<Uint8Array>,
  target: string,
): Promise<BackupManifest> {
  let found: BackupFile[];
  try {
    found = await unpack(archive, target);
  } catch (error) {
    if (isSwarmError(error)) throw error;
    throw damaged(errorMessage(error), error);
  }
  const last = found.pop();
  if (last?.name !== MANIFEST) throw damaged('it has no manifest at its end: it was cut short');
  const manifest = readManifest(await readFile(join(target, MANIFEST), 'utf8'));
  check(manifest, found);
  return manifest;
}

async function unpack(archive: AsyncIterable<Uint8Array>, target: string): Promise<BackupFile[]> {
  const tar = extract();
  const found: BackupFile[] = [];
  const feeding = pipeline(Readable.from(archive), tar);
  // Told by the loop as well.
  feeding.catch(() => undefined);
  for await (const entry of tar) {
    const { name, type } = entry.header;
    if (type !== 'file' || !isBackupFile(name)) {
      throw damaged(`"${name}" does not belong into one`);
    }
    const path = join(target, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const hash = createHash('sha256');
    let size = 0;
    // An entry that ends early fails its iterator, and nothing else.
    const measured = async function* () {
      for await (const chunk of entry) {
        hash.update(chunk as Buffer);
        size += (chunk as Buffer).length;
        yield chunk as Buffer;
      }
    };
    await pipeline(measured, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
    found.push({ name, size, sha256: hash.digest('hex') });
  }
  await feeding;
  return found;
}

function readManifest(text: string): BackupManifest {
  let manifest: BackupManifest;
  try {
    manifest = JSON.parse(text) as BackupManifest;
  } catch (error) {
    throw damaged('its manifest cannot be read', error);
  }
  if (manifest.format === FORMAT) return manifest;
  throw new SwarmError(
    'SWM_INVALID_ARGUMENT',
    `the backup has format ${manifest.format}, and this version reads format ${FORMAT}`,
  );
}

function check({ files }: BackupManifest, found: readonly BackupFile[]): void {
  for (const { name, size, sha256 } of files) {
    const file = found.find((candidate) => candidate.name === name);
    if (!file) throw damaged(`"${name}" is missing`);
    if (file.size !== size || file.sha256 !== sha256) {
      throw damaged(`"${name}" is not what was written`);
    }
  }
  if (found.length !== files.length) throw damaged('it has files that its manifest does not name');
  for (const name of [TLS_KEY, KEYS]) {
    if (!files.some((file) => file.name === name)) throw damaged(`"${name}" is missing`);
  }
}

function damaged(what: string, cause?: unknown): SwarmError {
  const message = `this is not a whole backup of a manager: ${what}`;
  return new SwarmError('SWM_INVALID_ARGUMENT', message, { cause });
}
