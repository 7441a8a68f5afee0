import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterSpec, NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import { NodeRole, Reachability } from '../../proto/gen/swarm/types.ts';
import { bootstrapNode, eventually, newManager, startNode } from './cluster.ts';
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
  await eventually('the status of the manager', () =>
    manager.readLocal((tx) => tx.get('node', nodeId)?.managerStatus?.leader === true),
  );
  const status = manager.readLocal((tx) => tx.get('node', nodeId)?.managerStatus);
  assert.equal(status?.addr, addr);
  assert.equal(status?.reachability, Reachability.REACHABLE);
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

test('a busy address is told at once', async (t) => {
  const node = await bootstrapNode(t);
  const second = newManager(node, { type: 'restart' });
  const start = performance.now();
  await assert.rejects(second.start(), {
    code: 'SWM_FAILED_PRECONDITION',
    message: `cannot listen on ${node.addr}: another process already listens there`,
  });
  assert(performance.now() - start < 2_000);
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
