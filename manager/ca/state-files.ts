import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SwarmError } from '../../common/errors.ts';

export interface NodeFiles {
  readonly rootCaPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

const ROOT_CA = 'swarm-root-ca.crt';
const CERTIFICATE = 'swarm-node.crt';
const KEY = 'swarm-node.key';
const CERTIFICATE_HEADER = '-----BEGIN CERTIFICATE-----';

/**
 * Reads `<stateDir>/certificates`; undefined when this node was never part of a swarm. The
 * certificate is taken from the key file, so that key and certificate always belong together.
 */
export async function readNodeFiles(stateDir: string): Promise<NodeFiles | undefined> {
  const [rootCaPem, keyFile] = await Promise.all([
    readOptional(path(stateDir, ROOT_CA)),
    readOptional(path(stateDir, KEY)),
  ]);
  if (rootCaPem === undefined || keyFile === undefined) return undefined;
  const start = keyFile.indexOf(CERTIFICATE_HEADER);
  if (start < 0) {
    throw new SwarmError(
      'SWM_INTERNAL',
      `${path(stateDir, KEY)} was expected to hold the key and the certificate of this node, and has no certificate`,
    );
  }
  return { rootCaPem, keyPem: keyFile.slice(0, start), certificatePem: keyFile.slice(start) };
}

/**
 * Writes `<stateDir>/certificates`, each file whole or not at all. `swarm-node.key` carries the key
 * and its certificate and is what counts; `swarm-node.crt` is a copy to look at.
 */
export async function writeNodeFiles(stateDir: string, files: NodeFiles): Promise<void> {
  await mkdir(path(stateDir, ''), { recursive: true, mode: 0o700 });
  await writeFileAtomic(path(stateDir, ROOT_CA), files.rootCaPem, 0o644);
  await writeFileAtomic(path(stateDir, KEY), files.keyPem + files.certificatePem, 0o600);
  await writeFileAtomic(path(stateDir, CERTIFICATE), files.certificatePem, 0o644);
}

/** Writes beside `target`, flushes to disk, and renames over it. */
export async function writeFileAtomic(
  target: string,
  data: string | Uint8Array,
  mode: number,
): Promise<void> {
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(target));
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function path(stateDir: string, name: string): string {
  return join(stateDir, 'certificates', name);
}
