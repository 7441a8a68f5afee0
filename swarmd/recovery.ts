import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { Logger } from '../common/logger.ts';
import type { Random } from '../common/random.ts';
import { parseUnlockKey, restoreBackup } from '../manager/index.ts';
import type { RecoverRequest } from './api/node-api.ts';
import {
  type NodeRecord,
  recoveryDir,
  removeMembership,
  swarmDir,
  writeNodeRecord,
} from './node-files.ts';

export interface RecoveryComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Recovered {
  readonly record: NodeRecord;
  /** What the manager is locked with. */
  readonly unlockKey: Uint8Array | undefined;
}

/**
 * Makes the state of a membership out of a backup. It is made beside and moved into its place when it
 * is complete, so that a machine has all of it or nothing.
 */
export async function recoverMembership(
  components: RecoveryComponents,
  request: RecoverRequest,
  init: { readonly stateDir: string; readonly record: NodeRecord },
): Promise<Recovered> {
  const { stateDir } = init;
  const work = recoveryDir(stateDir);
  const unlockKey = request.unlockKey === '' ? undefined : parseUnlockKey(request.unlockKey);
  const { advertiseAddr } = init.record;
  await rm(work, { recursive: true, force: true });
  try {
    const scratchDir = join(work, 'archive');
    await mkdir(scratchDir, { recursive: true, mode: 0o700 });
    const { manifest, dataPathPort } = await restoreBackup(components, {
      archive: request.archive,
      scratchDir,
      stateDir: swarmDir(work),
      advertiseAddr,
      unlockKey,
    });
    const record = { ...init.record, dataPathPort, managers: [advertiseAddr] };
    await writeNodeRecord(work, record);
    await removeMembership(stateDir);
    await rename(swarmDir(work), swarmDir(stateDir));
    const { nodeId, clusterId, index, createdAt } = manifest;
    components.logger.info({ nodeId, clusterId, index, createdAt }, 'recovered from a backup');
    return { record, unlockKey };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
