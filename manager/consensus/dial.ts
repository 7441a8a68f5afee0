import type { ChannelCredentials, ClientOptions } from '@grpc/grpc-js';
import { RaftClient, RaftMembershipServiceClient } from '../../proto/gen/swarm/raft.ts';

/** How to connect to a manager. */
export interface Dialing {
  readonly credentials: ChannelCredentials;
  /** Beside those that all connections between managers have. */
  readonly options?: ClientOptions;
}

export interface Dialer {
  /**
   * For a connection to the manager `nodeId`, which is empty when only its address is known. Asked for
   * each connection, so that a renewed certificate is used from then on.
   */
  dial(nodeId: string): Dialing;
}

/** A manager and where it is. */
export interface Place {
  readonly nodeId: string;
  readonly addr: string;
}

/**
 * Options of gRPC connections between managers. By keepalive, a connection that is dead without having
 * been closed is noticed within seconds. Each client has its own connection: one of gRPC's shared pool
 * may be waiting out the backoff of somebody else's failure.
 */
export const MANAGER_CONNECTION: ClientOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.keepalive_time_ms': 2000,
  'grpc.keepalive_timeout_ms': 4000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.max_receive_message_length': 8 * 1024 * 1024,
  'grpc-node.flow_control_window': 1024 * 1024,
};

export function raftClient(dialer: Dialer, { nodeId, addr }: Place): RaftClient {
  const { credentials, options } = dialer.dial(nodeId);
  return new RaftClient(addr, credentials, { ...MANAGER_CONNECTION, ...options });
}

export function membershipClient(
  dialer: Dialer,
  { nodeId, addr }: Place,
): RaftMembershipServiceClient {
  const { credentials, options } = dialer.dial(nodeId);
  return new RaftMembershipServiceClient(addr, credentials, { ...MANAGER_CONNECTION, ...options });
}
