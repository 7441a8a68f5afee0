import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../common/atomic-file.ts';
import { decodeCheckedText, encodeCheckedText } from '../../common/checksum.ts';
import { damagedFile } from '../../common/damage.ts';
import { errorMessage, type SwarmError } from '../../common/errors.ts';

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
 * Reads `<stateDir>/certificates`; undefined when there is none. The certificate is taken from the
 * key file, so that key and certificate always belong together. Throws SWM_DAMAGED when one of the
 * files is not what was written, or is missing alone.
 */
export async function readNodeFiles(stateDir: string): Promise<NodeFiles | undefined> {
  const [rootCaPem, keyFile] = await Promise.all([
    readChecked(path(stateDir, ROOT_CA)),
    readChecked(path(stateDir, KEY)),
  ]);
  if (rootCaPem === undefined && keyFile === undefined) return undefined;
  if (rootCaPem === undefined) throw damaged(path(stateDir, ROOT_CA), 'it is missing');
  if (keyFile === undefined) throw damaged(path(stateDir, KEY), 'it is missing');
  const start = keyFile.indexOf(CERTIFICATE_HEADER);
  if (start < 0) throw damaged(path(stateDir, KEY), 'it has no certificate');
  return { rootCaPem, keyPem: keyFile.slice(0, start), certificatePem: keyFile.slice(start) };
}

/**
 * Writes `<stateDir>/certificates`, each file whole or not at all, and with a checksum.
 * `swarm-node.key` carries the key and its certificate and is what counts; `swarm-node.crt` is a copy
 * to look at, which nothing reads.
 */
export async function writeNodeFiles(stateDir: string, files: NodeFiles): Promise<void> {
  await writeFileAtomic(path(stateDir, ROOT_CA), encodeCheckedText(files.rootCaPem), 0o644);
  const keyFile = encodeCheckedText(files.keyPem + files.certificatePem);
  await writeFileAtomic(path(stateDir, KEY), keyFile, 0o600);
  await writeFileAtomic(path(stateDir, CERTIFICATE), files.certificatePem, 0o644);
}

async function readChecked(file: string): Promise<string | undefined> {
  let stored: string;
  try {
    stored = await readFile(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return decodeCheckedText(stored);
  } catch (error) {
    throw damaged(file, errorMessage(error));
  }
}

function damaged(file: string, what: string): SwarmError {
  return damagedFile(file, what, {
    hint: 'Restore this file, or make this node leave the swarm with --force and join again.',
  });
}

function path(stateDir: string, name: string): string {
  return join(stateDir, 'certificates', name);
}
