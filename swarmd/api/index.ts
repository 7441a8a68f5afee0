import type { FastifyInstance } from 'fastify';
import { type Logger, silentLogger } from '../../common/logger.ts';
import { type Random, systemRandom } from '../../common/random.ts';
import type { Pacing } from '../../common/slices.ts';
import type { Startable } from '../../common/startable.ts';
import { createApp } from './app.ts';
import { EventHub } from './events/event-hub.ts';
import { EventSources } from './events/event-sources.ts';
import { type ListenAddress, Listener } from './listener.ts';
import type { SwarmNodeApi } from './node-api.ts';

export { type ListenAddress, Listener } from './listener.ts';
export type * from './node-api.ts';

export interface ApiServerComponents extends Pacing {
  readonly node: SwarmNodeApi;
  readonly logger?: Logger;
  readonly random?: Random;
}

export interface ApiServerInit {
  readonly listen: readonly ListenAddress[];
  /** Adds routes (a dashboard, metrics) and hooks to the server. */
  readonly extend?: (app: FastifyInstance) => void;
}

export interface ApiServer extends Startable {
  /** The ports of the TCP listeners, in the order of `listen`. */
  readonly ports: readonly number[];
}

/** The Docker Engine API of one node, on all the sockets of `init.listen`. */
export function createApiServer(components: ApiServerComponents, init: ApiServerInit): ApiServer {
  const { node, logger = silentLogger } = components;
  const { clock, random = systemRandom, yieldTurn } = components;
  const events = new EventHub();
  const sources = new EventSources({ node, events, clock });
  const app = createApp({ node, logger, clock, yieldTurn, random, events }, init.extend);
  const listeners = init.listen.map(
    (address) => new Listener((request, response) => app.routing(request, response), address),
  );
  return {
    get ports() {
      return listeners.map(({ port }) => port).filter(Boolean);
    },
    async start() {
      await app.ready();
      await sources.start();
      for (const listener of listeners) await listener.start();
    },
    async stop() {
      await Promise.all(listeners.map((listener) => listener.stop()));
      await sources.stop();
      await app.close();
    },
  };
}
