import type { MemberStatus } from '../../../manager/index.ts';
import type { Node } from '../../../proto/gen/swarm/objects.ts';
import {
  NodeSpec_Availability as Availability,
  NodeSpec_Membership as Membership,
  type NodeSpec,
} from '../../../proto/gen/swarm/specs.ts';
import {
  type ManagerStatus,
  type NodeDescription,
  NodeRole,
  NodeState,
  type NodeTLSInfo,
  Reachability,
} from '../../../proto/gen/swarm/types.ts';
import { badRequest } from '../http/errors.ts';
import type { JsonReader } from '../http/json-reader.ts';
import {
  annotationsFromApi,
  annotationsToApi,
  metaToApi,
  nonEmpty,
  nonEmptyList,
  nonEmptyMap,
  onlyTrue,
  optional,
  words,
} from './common.ts';
import { amountsToApi } from './task-spec-to-api.ts';

const roles = words({ worker: NodeRole.WORKER, manager: NodeRole.MANAGER });
const states = words({
  unknown: NodeState.UNKNOWN,
  down: NodeState.DOWN,
  ready: NodeState.READY,
  disconnected: NodeState.DISCONNECTED,
});
const reachabilities = words({
  unknown: Reachability.UNKNOWN,
  unreachable: Reachability.UNREACHABLE,
  reachable: Reachability.REACHABLE,
});
export const availabilities = words({
  active: Availability.ACTIVE,
  pause: Availability.PAUSE,
  drain: Availability.DRAIN,
});

/** `member` is what this manager's Raft knows of the node now; it is newer than the store. */
export function nodeToApi(node: Node, member?: MemberStatus) {
  const status = member ? statusOfMember(member) : node.managerStatus;
  return {
    ID: node.id,
    ...metaToApi(node.meta),
    Spec: nodeSpecToApi(node),
    Description: descriptionToApi(node.description),
    Status: {
      State: states.toWord(node.status?.state ?? NodeState.UNKNOWN),
      ...nonEmpty('Message', node.status?.message ?? ''),
      Addr: node.status?.addr ?? '',
    },
    ...optional('ManagerStatus', status && managerStatusToApi(status)),
  };
}

/** Throws SWM_INVALID_ARGUMENT unless role and availability are given, as they always must be. */
export function nodeSpecFromApi(json: JsonReader): NodeSpec {
  for (const key of ['Role', 'Availability']) {
    if (json.string(key) === '') throw badRequest(`invalid ${key}: ""`);
  }
  return {
    annotations: annotationsFromApi(json),
    desiredRole: roles.fromField(json, 'Role', NodeRole.WORKER),
    membership: Membership.ACCEPTED,
    availability: availabilities.fromField(json, 'Availability', Availability.ACTIVE),
  };
}

/** What a changed node shows in an event: the words of its attributes. */
export function nodeWords(node: Node) {
  return {
    availability: availabilities.toWord(node.spec?.availability ?? Availability.ACTIVE),
    role: roles.toWord(node.spec?.desiredRole ?? NodeRole.WORKER),
    state: states.toWord(node.status?.state ?? NodeState.UNKNOWN),
    leader: String(node.managerStatus?.leader ?? false),
    reachability: reachabilities.toWord(node.managerStatus?.reachability ?? Reachability.UNKNOWN),
  };
}

function nodeSpecToApi({ spec }: Node) {
  return {
    ...annotationsToApi(spec?.annotations),
    Role: roles.toWord(spec?.desiredRole ?? NodeRole.WORKER),
    Availability: availabilities.toWord(spec?.availability ?? Availability.ACTIVE),
  };
}

function statusOfMember(member: MemberStatus): ManagerStatus {
  return {
    raftId: member.raftId,
    addr: member.addr,
    leader: member.leader,
    reachability: member.reachable ? Reachability.REACHABLE : Reachability.UNREACHABLE,
  };
}

function managerStatusToApi(status: ManagerStatus) {
  return {
    ...onlyTrue('Leader', status.leader),
    Reachability: reachabilities.toWord(status.reachability),
    Addr: status.addr,
  };
}

function descriptionToApi(description: NodeDescription | undefined) {
  const { platform, resources, engine, tlsInfo } = description ?? {};
  const plugins = engine?.plugins.map(({ type, name }) => ({ Type: type, Name: name })) ?? [];
  return {
    ...nonEmpty('Hostname', description?.hostname ?? ''),
    Platform: {
      ...nonEmpty('Architecture', platform?.architecture ?? ''),
      ...nonEmpty('OS', platform?.os ?? ''),
    },
    Resources: resources ? amountsToApi(resources) : {},
    Engine: {
      ...nonEmpty('EngineVersion', engine?.engineVersion ?? ''),
      ...nonEmptyMap('Labels', engine?.labels ?? {}),
      ...nonEmptyList('Plugins', plugins),
    },
    TLSInfo: tlsInfo ? tlsInfoToApi(tlsInfo) : {},
  };
}

function tlsInfoToApi(info: NodeTLSInfo) {
  return {
    ...nonEmpty('TrustRoot', Buffer.from(info.trustRoot).toString('utf8')),
    ...nonEmpty('CertIssuerSubject', Buffer.from(info.certIssuerSubject).toString('base64')),
    ...nonEmpty('CertIssuerPublicKey', Buffer.from(info.certIssuerPublicKey).toString('base64')),
  };
}
