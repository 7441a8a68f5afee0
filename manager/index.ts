export {
  describeUsage,
  type NetworkUsage,
  type SubnetUsage,
  type UsedAddress,
  type WaitingTask,
} from './allocator/usage.ts';
export { type RestoredManager, restoreBackup } from './backup/restore-backup.ts';
export {
  type KeyFile,
  parseJoinToken,
  parseUnlockKey,
  SecurityConfig,
  type SecurityConfigComponents,
  trustBundleOf,
  unlockKeyNeeded,
  wantedIssuer,
} from './ca/index.ts';
export type { MemberStatus } from './consensus/types.ts';
export { validateCluster } from './control/validate-cluster.ts';
export { PREDEFINED_LABEL } from './control/validate-network.ts';
export { Manager } from './manager.ts';
export type { ManagerComponents, ManagerInit, ManagerMode } from './manager-init.ts';
export { isDirty } from './orchestrator/dirty.ts';
export { readManagerKeys, removeManagerState } from './raft-state.ts';
export { explainPlacement } from './scheduler/explain.ts';
export type { Explanation } from './scheduler/schedule.ts';
export { resolveObject } from './store/resolve.ts';
export { taskName } from './store/task-name.ts';
export type { Commit, Kind, ObjectTypes, ReadTx, Selector, StoreChange } from './store/types.ts';
export type * from './types.ts';
