import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { ContainerRecord } from './record.ts';
import type { EngineEvent } from './types.ts';

/** Tells listeners what happens, with the attributes that Docker's events have. */
export class EventBus {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #listeners = new Set<(event: EngineEvent) => void>();

  constructor(components: { clock: Clock; logger: Logger }) {
    this.#clock = components.clock;
    this.#logger = components.logger;
  }

  listen(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(
    type: EngineEvent['type'],
    action: string,
    id: string,
    attributes: Readonly<Record<string, string>> = {},
  ): void {
    const event = { type, action, id, attributes, timeMs: this.#clock.now() };
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#logger.error({ err: error, action }, 'a listener for engine events failed');
      }
    }
  }

  container(
    action: string,
    record: ContainerRecord,
    more: Readonly<Record<string, string>> = {},
  ): void {
    const { config, id, name } = record;
    this.emit('container', action, id, { ...config.Labels, image: config.Image, name, ...more });
  }
}
