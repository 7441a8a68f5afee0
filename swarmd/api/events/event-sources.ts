import type { Clock } from '../../../common/clock.ts';
import type { Startable } from '../../../common/startable.ts';
import type { ManagerApi } from '../../../manager/index.ts';
import type { SwarmNodeApi } from '../node-api.ts';
import { clusterEvents } from './cluster-events.ts';
import type { EventHub } from './event-hub.ts';

export interface EventSourcesComponents {
  readonly node: SwarmNodeApi;
  readonly events: EventHub;
  readonly clock: Clock;
}

/**
 * Feeds the hub: with the engine's events always, and with what the swarm's objects go through while
 * this node is a manager.
 */
export class EventSources implements Startable {
  readonly #components: EventSourcesComponents;
  #stops: (() => void)[] = [];
  #manager: ManagerApi | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(components: EventSourcesComponents) {
    this.#components = components;
  }

  async start(): Promise<void> {
    const { node, events } = this.#components;
    this.#stops = [
      node.engine.onEvent((event) => events.publish({ ...event, scope: 'local' })),
      node.onState(() => this.#follow(node.manager)),
    ];
    this.#follow(node.manager);
  }

  async stop(): Promise<void> {
    this.#follow(undefined);
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }

  #follow(manager: ManagerApi | undefined): void {
    if (manager === this.#manager) return;
    this.#unsubscribe?.();
    this.#manager = manager;
    const { events, clock } = this.#components;
    this.#unsubscribe = manager?.subscribe((commit) => {
      for (const event of clusterEvents(commit, clock.now())) events.publish(event);
    });
  }
}
