import { setMaxListeners } from 'node:events';
import type { Clock } from '../../common/clock.ts';
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

  async send(
    nodeId: string,
    protocol: RequestProtocol,
    data: Uint8Array,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    const { clock, transport } = this.#components;
    const stopped = this.#stopped.signal;
    const abort = new AbortController();
    const timer = clock.setTimer(timeoutMs, () =>
      abort.abort(new Error(`no answer within ${timeoutMs} ms`)),
    );
    const onStop = () => abort.abort(stopped.reason);
    stopped.addEventListener('abort', onStop, { once: true });
    try {
      return await transport.request(nodeId, protocol, data, abort.signal);
    } finally {
      timer.cancel();
      stopped.removeEventListener('abort', onStop);
    }
  }

  stop(): void {
    this.#stopped.abort(new Error('gossip stopped'));
  }
}
