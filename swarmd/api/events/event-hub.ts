export type EventType =
  | 'container'
  | 'image'
  | 'network'
  | 'volume'
  | 'daemon'
  | 'service'
  | 'node'
  | 'secret'
  | 'config';

/** Something that happened, on this node (`local`) or in the swarm. */
export interface ApiEvent {
  readonly type: EventType;
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly scope: 'local' | 'swarm';
  readonly timeMs: number;
}

export interface EventHubInit {
  /** Events kept for `since`; the oldest goes first. */
  capacity?: number;
}

/** Passes events on to whoever listens, and remembers the last ones. */
export class EventHub {
  readonly #capacity: number;
  readonly #listeners = new Set<(event: ApiEvent) => void>();
  readonly #past: ApiEvent[] = [];

  constructor(init: EventHubInit = {}) {
    this.#capacity = init.capacity ?? 256;
  }

  publish(event: ApiEvent): void {
    this.#past.push(event);
    if (this.#past.length > this.#capacity) this.#past.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** Remembered events with `since <= time <= until`, oldest first. */
  past(since: number, until: number): ApiEvent[] {
    return this.#past.filter(({ timeMs }) => timeMs >= since && timeMs <= until);
  }

  subscribe(listener: (event: ApiEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
