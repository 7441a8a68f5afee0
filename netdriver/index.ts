export type { NetDriverComponents, NetDriverInit } from './compose.ts';
export { createGossip, gossipPeerId } from './gossip/index.ts';
export type * from './gossip/types.ts';
export { LinuxKernel } from './kernel/linux-kernel.ts';
export type { Kernel } from './kernel/types.ts';
export { NetDriver } from './net-driver.ts';
export { driverOf, networkConfigOf } from './network-config.ts';
export type * from './types.ts';
