import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../common/atomic-file.ts';
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
  await writeFileAtomic(path(stateDir, ROOT_CA), files.rootCaPem, 0o644);
  await writeFileAtomic(path(stateDir, KEY), files.keyPem + files.certificatePem, 0o600);
  await writeFileAtomic(path(stateDir, CERTIFICATE), files.certificatePem, 0o644);
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
