import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import { Gossip } from './gossip.ts';
import { Libp2pTransport } from './libp2p-transport.ts';

export { Gossip } from './gossip.ts';
export { gossipPeerId } from './peer-id.ts';
export type * from './types.ts';

/** Gossip as the daemon runs it: over libp2p. */
export function createGossip(components: { clock: Clock; random: Random; logger: Logger }): Gossip {
  return new Gossip({
    ...components,
    transport: (identity) => new Libp2pTransport(components, { identity }),
  });
}
