import { isIPv6 } from 'node:net';
import { SwarmError } from '../../common/errors.ts';
import { toServiceError } from '../../common/grpc-errors.ts';
import type { RaftMembershipServiceServer } from '../../proto/gen/swarm/raft.ts';
import type { Consensus } from './consensus.ts';
import { LEADER_KEY } from './raft-metadata.ts';
import { type AnyCall, checkManager, type RaftServiceComponents, running } from './raft-service.ts';
import { noLeader } from './reads.ts';

/** Joining and leaving. The leader serves it; others say where the leader is. */
export function createRaftMembershipService(
  components: RaftServiceComponents,
): RaftMembershipServiceServer {
  return {
    join: atLeader(components, async (consensus, nodeId, request: JoinRequest, call) => {
      const addr = reachableAddr(request.addr, call.getPeer());
      const { raftId } = await consensus.addMember({ nodeId, addr, raftId: request.raftId });
      return { raftId, membership: consensus.membership() };
    }),
    leave: atLeader(components, async (consensus, nodeId) => {
      const member = consensus.members().find((each) => each.nodeId === nodeId);
      if (member) await consensus.removeMember(member.raftId);
      return {};
    }),
  };
}

interface JoinRequest {
  readonly addr: string;
  readonly raftId: number;
}

type UnaryCall<Q> = AnyCall & { readonly request: Q };
type Callback<R> = (error: ReturnType<typeof toServiceError> | null, response?: R) => void;

function atLeader<Q, R>(
  components: RaftServiceComponents,
  handle: (consensus: Consensus, nodeId: string, request: Q, call: AnyCall) => Promise<R>,
): (call: UnaryCall<Q>, callback: Callback<R>) => void {
  return (call, callback) => {
    const run = async () => {
      const consensus = running(components);
      if (!consensus.isLeader) throw elsewhere(consensus);
      // Others may not have heard yet of who became a manager, nor may one that leads no longer.
      await consensus.readIndex();
      const { nodeId } = checkManager(components, call);
      return handle(consensus, nodeId, call.request, call);
    };
    run().then(
      (response) => callback(null, response),
      (error) => {
        const failure = toServiceError(error);
        const leader = components.consensus()?.leader();
        if (leader && !leader.self) failure.metadata?.set(LEADER_KEY, leader.addr);
        callback(failure);
      },
    );
  };
}

function elsewhere(consensus: Consensus): SwarmError {
  const leader = consensus.leader();
  if (!leader) return noLeader();
  return new SwarmError('SWM_NOT_LEADER', `The leader is the manager at ${leader.addr}.`);
}

/** Puts the address the call came from in place of a host that means "all of mine". */
export function reachableAddr(addr: string, peer: string): string {
  const port = addr.slice(addr.lastIndexOf(':') + 1);
  const host = hostOf(addr);
  if (host !== '' && host !== '0.0.0.0' && host !== '::') return addr;
  const seen = hostOf(peer).replace(/^::ffff:/, '');
  return isIPv6(seen) ? `[${seen}]:${port}` : `${seen}:${port}`;
}

function hostOf(addr: string): string {
  return addr.slice(0, addr.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}
