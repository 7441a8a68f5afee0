import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, type ClientReadableStream } from '@grpc/grpc-js';
import { DispatcherService } from '../../proto/gen/swarm/dispatcher.ts';
import { ClusterSpec, NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import {
  NodeDescription,
  NodeRole,
  NodeState,
  Reachability,
  TaskState,
} from '../../proto/gen/swarm/types.ts';
import { onEnd } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { bootstrapNode, newManager, startNode } from './cluster.ts';
import { networkSpec, serviceSpec } from './control/fixture.ts';

test('a new cluster has its cluster, node and networks, the ingress first', async (t) => {
  const { manager, securityConfig, addr } = await bootstrapNode(t);
  assert(manager.isLeader);
  const { clusterId, nodeId } = securityConfig.identity;
  await manager.read((tx) => {
    const cluster = tx.get('cluster', clusterId);
    assert.equal(cluster?.spec?.annotations?.name, 'default');
    assert.equal(cluster?.spec?.orchestration?.taskHistoryRetentionLimit, 5);
    assert.match(cluster?.rootCa?.joinTokens?.worker ?? '', /^SWMTKN-1-/);
    assert.equal(cluster?.vxlanUdpPort, 4789);
    assert.equal(tx.get('node', nodeId)?.role, NodeRole.MANAGER);
    const network = (name: string) => tx.find('network', { name })[0];
    const ingress = network('ingress');
    assert.equal(ingress?.ipam?.configs[0]?.subnet, '10.0.0.0/24');
    assert.deepEqual(Object.values(ingress?.driverState?.options ?? {}), ['4096']);
    for (const name of ['bridge', 'host']) {
      const labels = network(name)?.spec?.annotations?.labels;
      assert.equal(labels?.['com.docker.swarm.predefined'], 'true');
    }
  });
  await eventually(() => {
    const status = manager.readLocal((tx) => tx.get('node', nodeId)?.managerStatus);
    assert.equal(status?.leader, true);
    assert.equal(status.addr, addr);
    assert.equal(status.reachability, Reachability.REACHABLE);
  });
});

test('what was written is there after a restart', async (t) => {
  const node = await bootstrapNode(t);
  const service = await node.manager.control.createService(serviceSpec('web'));
  await node.manager.stop();
  const again = await startNode(t, node, { type: 'restart' });
  const found = await again.manager.read((tx) => tx.get('service', service.id));
  assert.deepEqual(found, service);
  assert(again.manager.isLeader);
});

test('pools of the user are used', async (t) => {
  const { manager } = await bootstrapNode(t, {
    type: 'bootstrap',
    spec: ClusterSpec.fromPartial({}),
    availability: NodeSpec_Availability.DRAIN,
    defaultAddressPool: ['172.20.0.0/16'],
    subnetSize: 26,
    dataPathPort: 7777,
  });
  const net = await manager.control.createNetwork(networkSpec('net'));
  assert.equal(net.ipam?.configs[0]?.subnet, '172.20.0.64/26');
  const [node] = await manager.read((tx) => [...tx.all('node')]);
  assert.equal(node?.spec?.availability, NodeSpec_Availability.DRAIN);
});

test('tasks of a service get to a node that registered', async (t) => {
  const { manager, securityConfig, addr } = await bootstrapNode(t);
  const { nodeId } = securityConfig.identity;
  const client = new Client(addr, securityConfig.clientCredentials(NodeRole.MANAGER));
  onEnd(t, () => client.close());
  const { session, assignments } = DispatcherService;
  const platform = { os: 'linux', architecture: 'x86_64' };
  const description = NodeDescription.fromPartial({ hostname: 'one', platform });
  const sessions = client.makeServerStreamRequest(
    session.path,
    session.requestSerialize,
    session.responseDeserialize,
    { sessionId: '', description },
  );
  const { sessionId } = await first(sessions);
  assert.equal(
    manager.readLocal((tx) => tx.get('node', nodeId)?.status?.state),
    NodeState.READY,
  );
  const mode = { $case: 'replicated' as const, replicated: { replicas: 2 } };
  const service = await manager.control.createService(serviceSpec('web', { mode }));
  await eventually(() => {
    const tasks = manager.readLocal((tx) => tx.find('task', { serviceId: service.id }));
    assert.equal(tasks.length, 2);
    for (const task of tasks) {
      assert.equal(task.nodeId, nodeId);
      assert.equal(task.status?.state, TaskState.ASSIGNED);
    }
  });
  const sets = client.makeServerStreamRequest(
    assignments.path,
    assignments.requestSerialize,
    assignments.responseDeserialize,
    { sessionId },
  );
  assert.equal((await first(sets)).changes.length, 2);
  for (const stream of [sessions, sets]) stream.cancel();
});

/** The first message; later failures are of no interest. */
function first<R>(stream: ClientReadableStream<R>): Promise<R> {
  return new Promise((resolve, reject) => {
    stream.once('data', resolve);
    stream.on('error', reject);
  });
}

test('a busy address is told', async (t) => {
  const node = await bootstrapNode(t);
  const second = newManager(node, { type: 'restart' });
  await assert.rejects(second.start(), {
    code: 'SWM_FAILED_PRECONDITION',
    message: `cannot listen on ${node.addr}: another process already listens there`,
  });
});

test('a forced new cluster keeps what there was', async (t) => {
  const node = await bootstrapNode(t);
  const service = await node.manager.control.createService(serviceSpec('web'));
  await node.manager.stop();
  const forced = await startNode(t, node, { type: 'force-new-cluster' });
  assert.equal(forced.manager.members().length, 1);
  const found = await forced.manager.read((tx) => tx.get('service', service.id));
  assert.deepEqual(found?.spec, service.spec);
  await forced.manager.control.createService(serviceSpec('web2'));
});
