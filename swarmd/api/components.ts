import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Pacing } from '../../common/slices.ts';
import type { EventHub } from './events/event-hub.ts';
import type { SwarmNodeApi } from './node-api.ts';

/** What the routes work on. */
export interface ApiComponents extends Pacing {
  readonly node: SwarmNodeApi;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventHub;
}

/** Adds one group of routes. */
export type RouteGroup = (app: FastifyInstance, components: ApiComponents) => void;
