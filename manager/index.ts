export type { MemberStatus } from './consensus/types.ts';
export type { Commit, Kind, ObjectTypes, ReadTx, Selector, StoreChange } from './store/types.ts';
export type * from './types.ts';
