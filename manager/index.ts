export { parseJoinToken, SecurityConfig, type SecurityConfigComponents } from './ca/index.ts';
export type { MemberStatus } from './consensus/types.ts';
export { Manager, removeManagerState } from './manager.ts';
export type { ManagerComponents, ManagerInit, ManagerMode } from './manager-init.ts';
export type { Commit, Kind, ObjectTypes, ReadTx, Selector, StoreChange } from './store/types.ts';
export type * from './types.ts';
