import type { L4Protocol, Netns } from '../kernel/types.ts';

export interface Backend {
  readonly ip: string;
  /** Shares of new connections; 0 drains: what is established goes on. */
  readonly weight: number;
}

/** `rr` is weighted round robin, `sh` keeps a client's address on one backend. */
export type BalancerScheduler = 'rr' | 'sh';

/** A service's address inside its network. */
export interface VirtualService {
  readonly vip: string;
  readonly backends: readonly Backend[];
}

/** A port published by the routing mesh. Backends take it on the same port. */
export interface PublishedPort {
  readonly protocol: L4Protocol;
  readonly port: number;
  /** Hide the client's address behind the balancer's. */
  readonly snat: boolean;
  readonly backends: readonly Backend[];
}

/** What one balancer should do, whole. */
export interface BalancerPlan {
  /** The balancer's own address on the network, where answers to hidden clients go. */
  readonly address: string;
  readonly scheduler: BalancerScheduler;
  /** Bytes of a packet on the network, which what comes in from elsewhere must be told. */
  readonly mtu: number;
  readonly services: readonly VirtualService[];
  readonly ports: readonly PublishedPort[];
}

/** Makes the kernel of one namespace balance. */
export interface BalancerEngine {
  /** From what it was told last to this, in one step that no packet sees half done. */
  apply(plan: BalancerPlan): Promise<void>;
}

export type BalancerEngineFactory = (netns: Netns, init: { fresh: boolean }) => BalancerEngine;
