import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../common/atomic-file.ts';
import { errorMessage, SwarmError } from '../common/errors.ts';

/** What a node must remember of its membership besides its certificate. */
export interface NodeRecord {
  readonly listenAddr: string; // host:port
  readonly advertiseAddr: string; // host:port
  readonly dataPathAddr: string; // IP
  readonly dataPathPort: number;
  /** host:port of managers, newest knowledge; whom to call after a restart. */
  readonly managers: readonly string[];
}

/** The folder of one membership: gone when the node leaves. */
export const swarmDir = (stateDir: string): string => join(stateDir, 'swarm');

const recordPath = (stateDir: string) => join(swarmDir(stateDir), 'node.json');
const gossipKeyPath = (stateDir: string) => join(swarmDir(stateDir), 'gossip.key');

/** Undefined when the node is in no swarm. */
export async function readNodeRecord(stateDir: string): Promise<NodeRecord | undefined> {
  const text = await readIfThere(recordPath(stateDir));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text.toString()) as NodeRecord;
  } catch (error) {
    throw damaged(recordPath(stateDir), errorMessage(error));
  }
}

export async function writeNodeRecord(stateDir: string, record: NodeRecord): Promise<void> {
  await writeFileAtomic(recordPath(stateDir), `${JSON.stringify(record, null, 2)}\n`);
}

/** The Ed25519 seed (32 bytes) that is this node's gossip identity; made by `make` when missing. */
export async function gossipKey(stateDir: string, make: () => Uint8Array): Promise<Uint8Array> {
  const path = gossipKeyPath(stateDir);
  const stored = await readIfThere(path);
  if (stored?.length === 32) return stored;
  if (stored !== undefined) throw damaged(path, `${stored.length} bytes where 32 belong`);
  const key = make();
  await writeFileAtomic(path, key);
  return key;
}

export async function removeMembership(stateDir: string): Promise<void> {
  await rm(swarmDir(stateDir), { recursive: true, force: true });
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function damaged(path: string, why: string): SwarmError {
  return new SwarmError('SWM_INTERNAL', `${path} is damaged: ${why}`, {
    hint: 'restore the file from a backup, or make this node leave with --force and join again',
  });
}
