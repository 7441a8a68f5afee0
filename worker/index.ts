export { Agent, type AgentComponents, type AgentInit } from './agent/agent.ts';
export type { Dial, ManagerConnection } from './agent/connection.ts';
export { sweepContainers } from './agent/container/sweep.ts';
export { grpcDial } from './agent/grpc-connection.ts';
export { LevelTaskDb, type TaskDb } from './agent/task-db.ts';
export type * from './agent/types.ts';
export * from './engine/index.ts';
