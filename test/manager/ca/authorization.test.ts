import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata, type ServiceDefinition } from '@grpc/grpc-js';
import { authorize, identifyCaller, METHOD_ACCESS } from '../../../manager/ca/authorization.ts';
import { findCaller, forwardedBy, forwardingMetadata } from '../../../manager/ca/caller.ts';
import type { CertificateIdentity } from '../../../manager/types.ts';
import { CAService, NodeCAService } from '../../../proto/gen/swarm/ca.ts';
import { ControlStreamService } from '../../../proto/gen/swarm/control.ts';
import {
  DispatcherService,
  ResourceAllocatorService,
} from '../../../proto/gen/swarm/dispatcher.ts';
import { LogBrokerService, LogsService } from '../../../proto/gen/swarm/logs.ts';
import { RaftMembershipServiceService, RaftService } from '../../../proto/gen/swarm/raft.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';

const manager = { nodeId: 'm1', role: NodeRole.MANAGER, clusterId: 'c1' };
const worker = { nodeId: 'w1', role: NodeRole.WORKER, clusterId: 'c1' };
const foreign = { nodeId: 'f1', role: NodeRole.MANAGER, clusterId: 'c2' };
const components = { identity: () => manager, isRemoved: (id: string) => id === 'gone' };

/** Metadata as the server sees it after `peer` sent `claims`. */
function received(peer: CertificateIdentity | undefined, claims: Record<string, string> = {}) {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(claims)) metadata.set(key, value);
  identifyCaller(metadata, peer, '10.0.0.9');
  return metadata;
}

test('every method of every service is in the list, and nothing else', () => {
  const services: ServiceDefinition[] = [
    CAService,
    NodeCAService,
    ControlStreamService,
    DispatcherService,
    ResourceAllocatorService,
    LogBrokerService,
    LogsService,
    RaftService,
    RaftMembershipServiceService,
  ] as unknown as ServiceDefinition[];
  const paths = services.flatMap((service) => Object.values(service).map(({ path }) => path));
  assert.deepEqual(Object.keys(METHOD_ACCESS).sort(), paths.sort());
});

const cases: [string, string, CertificateIdentity | undefined, string | undefined][] = [
  ['a stranger may ask for the root', '/swarm.CA/GetRootCACertificate', undefined, undefined],
  ['a stranger may not heartbeat', '/swarm.Dispatcher/Heartbeat', undefined, 'SWM_UNAUTHENTICATED'],
  ['a worker may heartbeat', '/swarm.Dispatcher/Heartbeat', worker, undefined],
  ['a manager is a node too', '/swarm.Dispatcher/Heartbeat', manager, undefined],
  ['a worker may not write', '/swarm.ControlStream/Forward', worker, 'SWM_PERMISSION_DENIED'],
  ['a manager may write', '/swarm.ControlStream/Forward', manager, undefined],
  ['an unknown method is refused', '/swarm.Other/Method', manager, 'SWM_PERMISSION_DENIED'],
  ['another cluster is refused', '/swarm.ControlStream/Forward', foreign, 'SWM_PERMISSION_DENIED'],
  [
    'a removed node may not even join again',
    '/swarm.NodeCA/IssueNodeCertificate',
    { ...worker, nodeId: 'gone' },
    'SWM_PERMISSION_DENIED',
  ],
];

for (const [what, path, peer, code] of cases) {
  test(what, () => {
    const check = () => authorize(components, METHOD_ACCESS[path], path, received(peer), peer);
    if (code) assert.throws(check, { code });
    else check();
  });
}

test('a removed node may call nothing at all, nor may others for it', () => {
  const gone = { ...manager, nodeId: 'gone' };
  const forGone = received(manager, {
    'swarm-forwarded-by': 'm1',
    'swarm-caller-node': 'gone',
    'swarm-caller-ou': 'swarm-worker',
    'swarm-caller-cluster': 'c1',
  });
  const refusal = {
    code: 'SWM_PERMISSION_DENIED',
    message: 'Permission denied: node gone was removed from swarm',
  };
  for (const [path, access] of Object.entries(METHOD_ACCESS)) {
    assert.throws(() => authorize(components, access, path, received(gone), gone), refusal);
    assert.throws(() => authorize(components, access, path, forGone, manager), refusal);
  }
});

test('the caller is the peer, with its address', () => {
  assert.deepEqual(findCaller({ metadata: received(worker) }), { ...worker, addr: '10.0.0.9' });
});

test('claims of workers and strangers about who they are count for nothing', () => {
  const claims = {
    'swarm-caller-node': 'm1',
    'swarm-caller-ou': 'swarm-manager',
    'swarm-caller-cluster': 'c1',
    'swarm-forwarded-by': 'm1',
  };
  assert.equal(findCaller({ metadata: received(worker, claims) })?.nodeId, 'w1');
  assert.equal(findCaller({ metadata: received(undefined, claims) }), undefined);
  assert.equal(forwardedBy({ metadata: received(undefined, claims) }), '');
});

test('a manager forwards the identity that it saw', () => {
  const sent = forwardingMetadata(received(worker), manager);
  identifyCaller(sent, { ...manager, nodeId: 'm2' }, '10.0.0.1');
  assert.deepEqual(findCaller({ metadata: sent }), { ...worker, addr: '10.0.0.9' });
  assert.equal(forwardedBy({ metadata: sent }), 'm2');
});

test('a stranger stays a stranger when forwarded', () => {
  const sent = forwardingMetadata(received(undefined), manager);
  identifyCaller(sent, manager, '10.0.0.1');
  assert.equal(findCaller({ metadata: sent }), undefined);
  const path = '/swarm.Dispatcher/Heartbeat';
  assert.throws(() => authorize(components, METHOD_ACCESS[path], path, sent, manager), {
    code: 'SWM_UNAUTHENTICATED',
  });
});

test('a removed node is refused through a forwarder too', () => {
  const sent = forwardingMetadata(received({ ...worker, nodeId: 'gone' }), manager);
  identifyCaller(sent, manager, '10.0.0.1');
  const path = '/swarm.Dispatcher/Heartbeat';
  assert.throws(() => authorize(components, METHOD_ACCESS[path], path, sent, manager), {
    message: 'Permission denied: node gone was removed from swarm',
  });
});
