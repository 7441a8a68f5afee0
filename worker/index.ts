export type * from './agent/types.ts';
export type * from './engine/types.ts';
