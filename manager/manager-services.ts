import { deadline } from '../common/deadline.ts';
import { SwarmError } from '../common/errors.ts';
import { CAService, NodeCAService } from '../proto/gen/swarm/ca.ts';
import { ControlStreamService } from '../proto/gen/swarm/control.ts';
import { DispatcherService, ResourceAllocatorService } from '../proto/gen/swarm/dispatcher.ts';
import { LogBrokerService, LogsService } from '../proto/gen/swarm/logs.ts';
import { RaftMembershipServiceService, RaftService } from '../proto/gen/swarm/raft.ts';
import { NodeRole } from '../proto/gen/swarm/types.ts';
import { type Caller, callerOf, caService, nodeCaService, trustBundleOf } from './ca/index.ts';
import {
  type Consensus,
  createRaftMembershipService,
  createRaftService,
} from './consensus/index.ts';
import { type ControlContext, controlService, resourceAllocatorService } from './control/index.ts';
import { dispatcherService } from './dispatcher/service.ts';
import { type LeaderProxyComponents, leaderProxy } from './leader-proxy.ts';
import type { LeaderRole } from './leader-role.ts';
import { logBrokerService, logsService } from './logbroker/service.ts';
import type { ManagerComponents } from './manager-init.ts';
import type { RpcListener } from './rpc-server.ts';
import type { Store } from './store/types.ts';
import type { ControlApi } from './types.ts';

const CATCH_UP_MS = 1_000;

export interface ManagerServicesComponents extends ManagerComponents, LeaderProxyComponents {
  readonly server: RpcListener;
  readonly store: Store;
  /** Undefined until this manager is a Raft member. */
  readonly consensus: () => Consensus | undefined;
  /** What runs while this manager leads. */
  readonly role: () => LeaderRole | undefined;
  /** The control operations here; they throw SWM_NOT_LEADER elsewhere than at the leader. */
  readonly control: ControlApi;
  readonly controlContext: ControlContext;
}

/** Everything that port 2377 serves. What only the leader can do is passed on to it. */
export function addManagerServices(components: ManagerServicesComponents): void {
  const { server, clock, securityConfig, store, consensus } = components;
  const leading = () => components.role() ?? throwStarting();
  const authority = () => leading().authority;

  server.add(RaftService, createRaftService({ consensus, callerOf }));
  // Not forwarded: it says itself where the leader is.
  server.add(
    RaftMembershipServiceService,
    createRaftMembershipService({
      consensus,
      callerOf: (call) => currentRole(store, callerOf(call)),
    }),
  );
  const control = () => components.control;
  server.add(ControlStreamService, controlService({ store, control }));
  // The join tokens are in the store too, and must go with the root that is told.
  const rootCaPem = async () => {
    await catchUp(components);
    const cluster = store.view((tx) => tx.get('cluster', securityConfig.identity.clusterId));
    return trustBundleOf(cluster?.rootCa).toString() || securityConfig.rootCaPem;
  };
  const ca = caService({ clock, rootCaPem, authority });
  server.add(CAService, {
    ...leaderProxy(components, CAService, ca),
    // Every manager knows it, and who wants to join should not need a leader for it.
    getRootCaCertificate: ca.getRootCaCertificate,
  });
  const nodeCa = nodeCaService({ authority, forget: (nodeId) => forgetNode(components, nodeId) });
  server.add(NodeCAService, leaderProxy(components, NodeCAService, nodeCa));
  const dispatcher = dispatcherService({ dispatcher: () => leading().dispatcher, callerOf });
  server.add(DispatcherService, leaderProxy(components, DispatcherService, dispatcher));
  const broker = () => leading().logBroker;
  const logBroker = logBrokerService({ broker, callerOf });
  server.add(LogBrokerService, leaderProxy(components, LogBrokerService, logBroker));
  // For the other managers, which ask the leader themselves.
  server.add(LogsService, logsService({ broker }));
  const attachments = resourceAllocatorService(() => components.controlContext);
  server.add(
    ResourceAllocatorService,
    leaderProxy(components, ResourceAllocatorService, attachments),
  );
}

/** Until the store has what was acknowledged before; for a moment only, as there may be no leader. */
async function catchUp({ clock, consensus }: ManagerServicesComponents): Promise<void> {
  const limit = deadline(clock, CATCH_UP_MS);
  await consensus()
    ?.readIndex(limit.signal)
    .catch(() => undefined);
  limit.cancel();
}

/** It may have become a Raft member before it found that it could not join. */
async function forgetNode(
  { consensus, control }: ManagerServicesComponents,
  nodeId: string,
): Promise<void> {
  const member = consensus()
    ?.members()
    .find((each) => each.nodeId === nodeId);
  if (member) await consensus()?.removeMember(member.raftId);
  await control.removeNode(nodeId, true);
}

/**
 * A demoted manager keeps its certificate for a while, with which it must not become a Raft member
 * again: here the role that the store knows counts.
 */
function currentRole(store: Store, caller: Caller): Caller {
  const node = store.view((tx) => tx.get('node', caller.nodeId));
  const isManager = node?.role === NodeRole.MANAGER && node.spec?.desiredRole === NodeRole.MANAGER;
  return isManager ? caller : { ...caller, role: NodeRole.WORKER };
}

function throwStarting(): never {
  throw new SwarmError('SWM_UNAVAILABLE', 'this manager is only just becoming the leader');
}
