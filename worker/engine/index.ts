export { Engine, type EngineComponents, type EngineInit } from './engine.ts';
export type * from './types.ts';
