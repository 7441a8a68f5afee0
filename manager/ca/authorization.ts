import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { SwarmError } from '../../common/errors.ts';
import { toServiceError } from '../../common/grpc-errors.ts';
import { removedFromSwarm } from '../../common/removed-node.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import type { CertificateIdentity } from '../types.ts';
import { claimsForwarding, findCaller, peerAddr, peerOf, setCaller } from './caller.ts';
import { roleToOu } from './identity.ts';
import type { OpenCalls } from './open-calls.ts';

/** Who may call a method: 'anyone' needs no certificate, 'node' is every member. */
export type Access = 'anyone' | 'node' | 'manager';

/** The one list of who may call what. A method that is not in it is refused. */
export const METHOD_ACCESS: Readonly<Record<string, Access>> = {
  '/swarm.CA/GetRootCACertificate': 'anyone',
  '/swarm.CA/GetUnlockKey': 'manager',
  '/swarm.NodeCA/IssueNodeCertificate': 'anyone', // a join token, or the certificate to renew
  '/swarm.NodeCA/NodeCertificateStatus': 'anyone',
  '/swarm.NodeCA/Withdraw': 'node', // only itself
  '/swarm.ControlStream/Forward': 'manager',
  '/swarm.Dispatcher/Session': 'node',
  '/swarm.Dispatcher/Heartbeat': 'node',
  '/swarm.Dispatcher/UpdateTaskStatus': 'node',
  '/swarm.Dispatcher/Assignments': 'node',
  '/swarm.Dispatcher/Leave': 'node',
  '/swarm.ResourceAllocator/AttachNetwork': 'node',
  '/swarm.ResourceAllocator/DetachNetwork': 'node',
  '/swarm.LogBroker/ListenSubscriptions': 'node',
  '/swarm.LogBroker/PublishLogs': 'node',
  '/swarm.Logs/SubscribeLogs': 'manager',
  '/swarm.Raft/StreamMessages': 'manager',
  '/swarm.Raft/StreamSnapshot': 'manager',
  '/swarm.Raft/ResolveAddress': 'manager',
  '/swarm.Raft/Health': 'manager',
  '/swarm.RaftMembershipService/Join': 'manager',
  '/swarm.RaftMembershipService/Leave': 'manager',
};

export interface AuthorizationComponents {
  /** This node; read anew for each call, since its role may change. */
  readonly identity: () => CertificateIdentity;
  /** True for nodes that were removed from the swarm, whose certificates are still valid. */
  readonly isRemoved: (nodeId: string) => boolean;
  /** Every call that is let in, until it is over. */
  readonly openCalls: OpenCalls;
}

/**
 * Checks every call before its handler sees it, and writes who calls into its metadata (`callerOf`).
 * A claim to forward for another node counts only from a manager of this cluster.
 */
export function authorizationInterceptor(components: AuthorizationComponents): ServerInterceptor {
  return (method, call) => {
    const peer = peerOf(call);
    const addr = peerAddr(call);
    let isOver = () => {};
    const refuse = (error: unknown) => {
      isOver();
      call.sendStatus(toServiceError(error) as Parameters<typeof call.sendStatus>[0]);
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            try {
              identifyCaller(metadata, peer, addr);
              authorize(components, METHOD_ACCESS[method.path], method.path, metadata, peer);
            } catch (error) {
              return refuse(error);
            }
            const nodeIds = nodesBehind(metadata, peer).map(({ nodeId }) => nodeId);
            isOver = components.openCalls.add(nodeIds, (nodeId) =>
              refuse(removedFromSwarm(nodeId)),
            );
            proceed(metadata);
          },
          onCancel: () => isOver(),
        }),
      sendStatus(status, next) {
        isOver();
        next(status);
      },
    });
  };
}

/** Leaves in `metadata` only what is known to be true of the caller. */
export function identifyCaller(
  metadata: Metadata,
  peer: CertificateIdentity | undefined,
  addr: string,
): void {
  const forwards = peer?.role === NodeRole.MANAGER && claimsForwarding(metadata);
  if (forwards) setCaller(metadata, callerOfForwarded(metadata), peer.nodeId);
  else setCaller(metadata, { ...peer, addr });
}

function callerOfForwarded(metadata: Metadata) {
  const addr = metadata.get('swarm-caller-addr')[0]?.toString() ?? '';
  return { ...findCaller({ metadata }), addr };
}

/**
 * Throws SWM_UNAUTHENTICATED or SWM_PERMISSION_DENIED unless the caller may use the method. With a
 * forwarded call, both ends must be of this cluster and none removed from it.
 */
export function authorize(
  components: Omit<AuthorizationComponents, 'openCalls'>,
  access: Access | undefined,
  path: string,
  metadata: Metadata,
  peer: CertificateIdentity | undefined,
): void {
  if (access === undefined) throw denied(`${path} is not a method that may be called`);
  const caller = findCaller({ metadata });
  for (const node of nodesBehind(metadata, peer)) {
    if (components.isRemoved(node.nodeId)) throw removedFromSwarm(node.nodeId);
    const { clusterId } = components.identity();
    if (node.clusterId !== clusterId) {
      throw denied(`node ${node.nodeId} is of cluster ${node.clusterId}, not of ${clusterId}`);
    }
  }
  if (access === 'anyone') return;
  if (!caller) {
    throw new SwarmError('SWM_UNAUTHENTICATED', `${path} needs a certificate of this swarm`);
  }
  if (access === 'manager' && caller.role !== NodeRole.MANAGER) {
    throw denied(`${path} is for a ${roleToOu(NodeRole.MANAGER)}, not a ${roleToOu(caller.role)}`);
  }
}

/** The one at the other end of the connection, and the one for which it calls. */
function nodesBehind(
  metadata: Metadata,
  peer: CertificateIdentity | undefined,
): readonly CertificateIdentity[] {
  return [peer, findCaller({ metadata })].filter((node) => node !== undefined);
}

function denied(reason: string): SwarmError {
  return new SwarmError('SWM_PERMISSION_DENIED', `Permission denied: ${reason}`);
}
