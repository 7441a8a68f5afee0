import type { Clock, Timer } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Node } from '../../proto/gen/swarm/objects.ts';
import type { Store } from '../store/types.ts';
import { ORPHAN_AFTER_MS } from './constants.ts';
import { orphanTasks } from './node-records.ts';

export interface OrphanTimersComponents {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Gives up the tasks of nodes that are down for too long, counted from when they went down. */
export class OrphanTimers {
  readonly #components: OrphanTimersComponents;
  readonly #timers = new Map<string, Timer>();

  constructor(components: OrphanTimersComponents) {
    this.#components = components;
  }

  /** The node is down. */
  schedule(node: Node): void {
    if (this.#timers.has(node.id)) return;
    const { clock, store, logger } = this.#components;
    const since = node.status?.since?.getTime() ?? clock.now();
    const wait = Math.max(0, since + ORPHAN_AFTER_MS - clock.now());
    const timer = clock.setTimer(wait, () => {
      orphanTasks(store, node.id, new Date(clock.now())).catch((error) => {
        logger.warn({ nodeId: node.id, err: errorMessage(error) }, 'tasks not orphaned');
      });
    });
    this.#timers.set(node.id, timer);
  }

  /** The node is back, or gone for good. */
  cancel(nodeId: string): void {
    this.#timers.get(nodeId)?.cancel();
    this.#timers.delete(nodeId);
  }

  stop(): void {
    for (const nodeId of [...this.#timers.keys()]) this.cancel(nodeId);
  }
}
