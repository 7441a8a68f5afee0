import { join } from 'node:path';
import { isSwarmError, SwarmError } from '../common/errors.ts';
import { type Files, machineFiles } from '../common/files.ts';
import { NodeRole } from '../proto/gen/swarm/types.ts';
import { damagedKeyFile, KeyFile, SecurityConfig } from './ca/index.ts';
import { Consensus, type ConsensusComponents, type ConsensusInit } from './consensus/index.ts';
import type { ManagerComponents, ManagerInit } from './manager-init.ts';
import { requestRaftJoin, requestUnlockKey } from './raft-join.ts';

/**
 * The secrets of the manager that this node is, if it is one and has been one before. Throws
 * SWM_LOCKED without the unlock key that they need, SWM_UNAUTHENTICATED with a wrong one.
 */
export async function readManagerKeys(
  components: Pick<ManagerComponents, 'random'>,
  stateDir: string,
  unlockKey?: Uint8Array,
): Promise<KeyFile | undefined> {
  const identity = await SecurityConfig.peek(stateDir);
  if (identity?.role !== NodeRole.MANAGER) return undefined;
  return KeyFile.read(components, { path: keyPath(stateDir), unlockKey });
}

/**
 * The same, made at the first start: locked from the beginning when the other managers say that
 * managers are. Throws SWM_LOCKED when there is a file that needs an unlock key, SWM_DAMAGED when
 * there is a log, and not the file that opens it.
 */
export async function openManagerKeys(
  components: ManagerComponents,
  init: ManagerInit,
  signal: AbortSignal,
): Promise<KeyFile> {
  const { files = machineFiles } = components;
  const path = keyPath(init.stateDir);
  const stored = await KeyFile.read(components, { path });
  if (stored) return stored;
  if (await files.exists(logDir(init.stateDir))) {
    throw damagedKeyFile(path, 'it is missing, and the log that it opens is there');
  }
  const { mode } = init;
  if (mode.type === 'bootstrap') return KeyFile.open(components, { path });
  const remotes = mode.type === 'join' ? mode.remotes : components.securityConfig.remotes();
  const unlockKey = await requestUnlockKey(components, remotes, signal);
  return KeyFile.open(components, { path, unlockKey });
}

/** Removes the log and its keys, after a demotion or before a new life. The manager must be stopped. */
export async function removeManagerState(
  stateDir: string,
  files: Files = machineFiles,
): Promise<void> {
  await files.remove(raftDir(stateDir));
}

export interface OpenConsensusComponents extends ManagerComponents {
  readonly keys: KeyFile;
  readonly stateMachine: ConsensusComponents['stateMachine'];
}

/**
 * The log of this manager, as `init.mode` says: a new one, the stored one, or that of a new member
 * that asks the others to let it in. This manager must listen already when it does. `onFailure` is
 * called at most once, when it takes part no more.
 */
export async function openConsensus(
  components: OpenConsensusComponents,
  init: ManagerInit,
  signal: AbortSignal,
  onFailure: (error: SwarmError) => void,
): Promise<Consensus> {
  const { securityConfig, logger, clientOptions, openLog = Consensus.open } = components;
  const { mode, advertiseAddr: addr } = init;
  const own: ConsensusComponents = {
    ...components,
    logger: logger.child({ module: 'consensus' }),
    dial: (nodeId) => ({
      credentials: securityConfig.clientCredentials(NodeRole.MANAGER, nodeId),
      options: clientOptions,
    }),
  };
  const boot: ConsensusInit = {
    dir: logDir(init.stateDir),
    nodeId: securityConfig.identity.nodeId,
    addr,
    onFailure: (error) => onFailure(error),
    onRemoved: () => init.onRemoved?.(),
  };
  if (mode.type === 'bootstrap') return openLog(own, { ...boot, bootstrap: true });
  if (mode.type === 'force-new-cluster') {
    return openLog(own, { ...boot, forceNewCluster: true });
  }
  try {
    return await openLog(own, boot);
  } catch (error) {
    // There is no log yet: a node that has only just become a manager.
    if (!isSwarmError(error, 'SWM_FAILED_PRECONDITION')) throw error;
  }
  const remotes = mode.type === 'join' ? mode.remotes : securityConfig.remotes();
  const { raftId, membership } = await requestRaftJoin(components, remotes, addr, signal);
  if (!membership) throw new SwarmError('SWM_INTERNAL', 'the leader named no Raft members');
  return openLog(own, { ...boot, join: { raftId, membership } });
}

/** The log of the manager whose membership is in `stateDir`. */
export function logDir(stateDir: string): string {
  return join(raftDir(stateDir), 'log');
}

/** Its secrets. */
export function keyPath(stateDir: string): string {
  return join(raftDir(stateDir), 'keys.json');
}

function raftDir(stateDir: string): string {
  return join(stateDir, 'raft');
}
