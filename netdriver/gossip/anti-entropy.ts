import type { Clock } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import {
  type GossipRow,
  type MemberState,
  SyncRequest,
  SyncResponse,
} from '../../proto/gen/swarm/gossip.ts';
import type { FirstSyncs } from './first-syncs.ts';
import type { Requests } from './requests.ts';
import type { Tables } from './tables.ts';

const SYNC_TIMEOUT_MS = 10_000;
const GOODBYE_TIMEOUT_MS = 1_000;

export interface AntiEntropyComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tables: Tables;
  readonly firstSyncs: FirstSyncs;
  readonly requests: Requests;
}

/** What the exchanges of a session read from it, and bring to it. */
export interface AntiEntropyEvents {
  /** All members, as this node believes them to be. */
  states(): MemberState[];
  members(members: readonly MemberState[]): void;
  rows(rows: readonly GossipRow[]): void;
}

/** Exchanges between two nodes after which both have the rows of both: a digest, then what lacks. */
export class AntiEntropy {
  readonly #parts: AntiEntropyComponents;
  readonly #events: AntiEntropyEvents;

  constructor(components: AntiEntropyComponents, events: AntiEntropyEvents) {
    this.#parts = components;
    this.#events = events;
  }

  /** Their digest, the rows we lack, the rows they lack. */
  syncWith(nodeId: string): void {
    this.#exchange(nodeId).catch((error: unknown) => {
      this.#parts.logger.debug({ nodeId, error: errorMessage(error) }, 'gossip sync failed');
    });
  }

  answer(request: SyncRequest): Uint8Array {
    const { clock, tables } = this.#parts;
    this.#events.members(request.members);
    this.#events.rows(request.rows);
    const asked = new Set(request.networks.map((network) => network.networkId));
    return SyncResponse.encode({
      members: request.members.length > 0 ? this.#events.states() : [],
      networks: tables.digest().filter((network) => asked.has(network.networkId)),
      rows: tables.missingIn(request.networks, clock.monotonic()),
    }).finish();
  }

  /** Told to each peer by request: a message published on the way out might not leave any more. */
  async sayGoodbye(self: MemberState, peers: readonly string[]): Promise<void> {
    const { clock, requests, tables } = this.#parts;
    const now = clock.monotonic();
    const rows = tables.joined().flatMap((id) => tables.leave(id, now));
    const data = SyncRequest.encode({ members: [self], networks: [], rows }).finish();
    await Promise.allSettled(
      peers.map((peer) => requests.send(peer, '/swarm/sync/1', data, GOODBYE_TIMEOUT_MS)),
    );
  }

  async #exchange(nodeId: string): Promise<void> {
    const { clock, firstSyncs, tables } = this.#parts;
    const networks = tables.joined();
    const answer = SyncResponse.decode(
      await this.#ask(nodeId, {
        members: this.#events.states(),
        networks: tables.digest(),
        rows: [],
      }),
    );
    this.#events.members(answer.members);
    this.#events.rows(answer.rows);
    firstSyncs.synced(networks);
    const rows = tables.missingIn(answer.networks, clock.monotonic());
    if (rows.length > 0) await this.#ask(nodeId, { members: [], networks: [], rows });
  }

  #ask(nodeId: string, request: SyncRequest): Promise<Uint8Array> {
    const data = SyncRequest.encode(request).finish();
    return this.#parts.requests.send(nodeId, '/swarm/sync/1', data, SYNC_TIMEOUT_MS);
  }
}
