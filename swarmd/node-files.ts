import { access, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTemporaries, writeFileAtomic } from '../common/atomic-file.ts';
import { decodeChecked, encodeChecked } from '../common/checksum.ts';
import { damagedFile } from '../common/damage.ts';
import { errorMessage, type SwarmError } from '../common/errors.ts';

/** What a node must remember of its membership besides its certificate. */
export interface NodeRecord {
  readonly listenAddr: string; // host:port
  readonly advertiseAddr: string; // host:port
  /** Which interface has the advertised address; unset when none has, as behind address translation. */
  readonly advertiseInterface?: string;
  readonly dataPathAddr: string; // IP
  readonly dataPathPort: number;
  /** host:port of managers, newest knowledge; whom to call after a restart. */
  readonly managers: readonly string[];
  /** Set while `init` runs. If the daemon dies before it answers, the next start removes this swarm. */
  readonly unfinished?: true;
}

/** The folder of one membership: gone when the node leaves. */
export const swarmDir = (stateDir: string): string => join(stateDir, 'swarm');

/** The tasks of this node, from the first start of a membership on. */
export const tasksDir = (stateDir: string): string => join(swarmDir(stateDir), 'tasks');

/** Where a membership is built from a backup before it is moved to `swarmDir`. */
export const recoveryDir = (stateDir: string): string => join(stateDir, 'recovery');

const REMOVED = '.removed-';
const recordPath = (stateDir: string) => join(swarmDir(stateDir), 'node.json');
const gossipKeyPath = (stateDir: string) => join(swarmDir(stateDir), 'gossip.key');

/**
 * Undefined when the node is in no swarm. Throws SWM_DAMAGED when the record is not what was written,
 * or is missing beside what it belongs to.
 */
export async function readNodeRecord(stateDir: string): Promise<NodeRecord | undefined> {
  const path = recordPath(stateDir);
  const text = await readIfThere(path);
  if (text === undefined) {
    // What was begun before the record was written never was a membership.
    if (!(await isThere(tasksDir(stateDir)))) return undefined;
    throw damagedMembership(path, 'it is missing');
  }
  try {
    return decodeChecked<NodeRecord>(text.toString('latin1'));
  } catch (error) {
    throw damagedMembership(path, errorMessage(error));
  }
}

export async function writeNodeRecord(stateDir: string, record: NodeRecord): Promise<void> {
  await writeFileAtomic(recordPath(stateDir), encodeChecked(record));
}

/**
 * The Ed25519 seed (32 bytes) that is this node's gossip identity; made by `make` when it is missing
 * or damaged, since the managers are told with every session who the node is.
 */
export async function gossipKey(stateDir: string, make: () => Uint8Array): Promise<Uint8Array> {
  const path = gossipKeyPath(stateDir);
  const stored = await readIfThere(path);
  if (stored?.length === 32) return stored;
  const key = make();
  await writeFileAtomic(path, key);
  return key;
}

/** All at once: a crash leaves the membership whole, or none. */
export async function removeMembership(stateDir: string): Promise<void> {
  if (!(await isThere(swarmDir(stateDir)))) return;
  const bin = await mkdtemp(join(stateDir, REMOVED));
  await rename(swarmDir(stateDir), join(bin, 'swarm'));
  await rm(bin, { recursive: true, force: true });
}

/**
 * Removes what a crash left: of memberships that were being removed or recovered, of files that were
 * being written.
 */
export async function clearLeftovers(stateDir: string): Promise<void> {
  const swarm = swarmDir(stateDir);
  const written = ['', 'certificates', 'raft'].map((name) => join(swarm, name));
  for (const dir of [stateDir, join(stateDir, 'network'), ...written]) await removeTemporaries(dir);
  const names = await readdir(stateDir).catch(() => []);
  const removed = names.filter((name) => name.startsWith(REMOVED));
  const dirs = [recoveryDir(stateDir), ...removed.map((name) => join(stateDir, name))];
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
}

/** What to throw for a file without which the membership cannot be taken up. */
export function damagedMembership(path: string, what: string): SwarmError {
  return damagedFile(path, what, {
    hint: 'Restore this file, or make this node leave the swarm with --force and join again.',
  });
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
