import { Client, type ClientOptions } from '@grpc/grpc-js';
import { SwarmError } from '../../common/errors.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import { type ConsensusApi, MANAGER_CONNECTION } from '../consensus/index.ts';
import type { SecurityConfigApi } from '../types.ts';

export interface LeaderLinkComponents {
  readonly consensus: Pick<ConsensusApi, 'leader'>;
  readonly security: Pick<SecurityConfigApi, 'clientCredentials' | 'onChange'>;
  readonly clientOptions?: ClientOptions | undefined;
}

/** Requests that write objects, and answers that list them, may be large. */
const CONNECTION_OPTIONS: ClientOptions = {
  ...MANAGER_CONNECTION,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

/** A connection to whoever leads, made anew when that changes or when this node's certificate does. */
export class LeaderLink {
  readonly #components: LeaderLinkComponents;
  readonly #unsubscribe: () => void;
  #client: Client | undefined;
  #target = '';

  constructor(components: LeaderLinkComponents) {
    this.#components = components;
    this.#unsubscribe = components.security.onChange(() => this.#drop());
  }

  /** Throws SWM_NO_LEADER when none is known. */
  client(): Client {
    const leader = this.#components.consensus.leader();
    if (!leader) throw noLeader();
    if (leader.self) {
      throw new SwarmError('SWM_UNAVAILABLE', 'this manager is only just becoming the leader');
    }
    const { addr, nodeId } = leader;
    const target = `${nodeId}@${addr}`;
    if (target !== this.#target) this.#drop();
    this.#target = target;
    const { security, clientOptions } = this.#components;
    this.#client ??= new Client(addr, security.clientCredentials(NodeRole.MANAGER, nodeId), {
      ...CONNECTION_OPTIONS,
      ...clientOptions,
    });
    return this.#client;
  }

  close(): void {
    this.#unsubscribe();
    this.#drop();
  }

  #drop(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

export function noLeader(): SwarmError {
  return new SwarmError(
    'SWM_NO_LEADER',
    "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.",
  );
}
