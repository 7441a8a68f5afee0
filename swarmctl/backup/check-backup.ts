import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { CliError } from '../cli-error.ts';
import type { BackupFile, BackupManifest } from './manifest.ts';

const MANIFEST = 'manifest.json';

/** Reads the whole file and compares it with its manifest. Throws a CliError that says what is wrong. */
export async function checkBackup(path: string): Promise<BackupManifest> {
  const refuse = (what: string): never => {
    throw new CliError(`${path} is not a whole backup: ${what}`);
  };
  let contents: { files: BackupFile[]; manifest: BackupManifest | undefined };
  try {
    contents = await read(path);
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall) throw new CliError(`cannot read ${path}: ${message}`);
    return refuse(message);
  }
  const { files, manifest } = contents;
  if (!manifest) return refuse('it has no manifest at its end, so it was cut short');
  const found = new Map(files.map((file) => [file.name, file]));
  for (const { name, size, sha256 } of manifest.files) {
    const file = found.get(name);
    if (!file) refuse(`"${name}" is missing`);
    else if (file.size !== size || file.sha256 !== sha256) refuse(`"${name}" was changed`);
  }
  if (found.size !== manifest.files.length) refuse('it has files that its manifest does not name');
  return manifest;
}

async function read(
  path: string,
): Promise<{ files: BackupFile[]; manifest: BackupManifest | undefined }> {
  const tar = extract();
  const feeding = pipeline(createReadStream(path), tar);
  feeding.catch(() => undefined);
  const files: BackupFile[] = [];
  let manifest: BackupManifest | undefined;
  for await (const entry of tar) {
    const { name } = entry.header;
    if (name === MANIFEST) {
      manifest = JSON.parse(await text(entry)) as BackupManifest;
      continue;
    }
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of entry) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
    files.push({ name, size, sha256: hash.digest('hex') });
  }
  await feeding;
  return { files, manifest };
}
