import { setMaxListeners } from 'node:events';
import type { Clock } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import type { GossipTransport, RequestProtocol } from './transport.ts';

export interface RequestsComponents {
  readonly clock: Clock;
  readonly transport: Pick<GossipTransport, 'request'>;
}

/** Requests to peers, each with a time limit; all end with `stop`. */
export class Requests {
  readonly #components: RequestsComponents;
  readonly #stopped = new AbortController();

  constructor(components: RequestsComponents) {
    this.#components = components;
    // One per request under way.
    setMaxListeners(0, this.#stopped.signal);
  }

  send(
    nodeId: string,
    protocol: RequestProtocol,
    data: Uint8Array,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    const { clock, transport } = this.#components;
    const late = () => new Error(`no answer within ${timeoutMs} ms`);
    const { signal } = this.#stopped;
    return within(clock, { ms: timeoutMs, late, signal }, (limit) =>
      transport.request(nodeId, protocol, data, limit),
    );
  }

  stop(): void {
    this.#stopped.abort(new Error('gossip stopped'));
  }
}
