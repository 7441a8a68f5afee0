import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachNetwork, detachNetwork } from '../../../manager/control/attachments.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { addPredefined, controlBench, networkSpec, serviceSpec } from './fixture.ts';

const onNetwork = (target: string) =>
  serviceSpec('web', { task: { ...serviceSpec('').task, networks: [{ target }] } });
const pool = (subnet: string) => ({ ipam: { configs: [{ subnet }] } });

test('the ingress comes first and networks follow in the default pool', async () => {
  const { control, store } = await controlBench();
  const [ingress] = store.view((tx) => tx.find('network', { name: 'ingress' }));
  assert.equal(ingress?.ipam?.configs[0]?.subnet, '10.0.0.0/24');
  const net = await control.createNetwork(networkSpec('net'));
  assert.equal(net.ipam?.configs[0]?.subnet, '10.0.1.0/24');
  assert.equal(net.ipam?.configs[0]?.gateway, '10.0.1.1');
  const vnis = [ingress, net].map((network) => Object.values(network?.driverState?.options ?? {}));
  assert.deepEqual(vnis, [['4096'], ['4097']]);
});

test('a taken name and a taken subnet are refused', async () => {
  const { control } = await controlBench();
  await control.createNetwork(networkSpec('net', pool('172.30.0.0/16')));
  await assert.rejects(control.createNetwork(networkSpec('net')), {
    code: 'SWM_CONFLICT',
    message: 'network with name net already exists',
  });
  await assert.rejects(control.createNetwork(networkSpec('two', pool('172.30.5.0/24'))), {
    code: 'SWM_INVALID_ARGUMENT',
    message: /Pool overlaps with other one on this address space/,
  });
});

test('there is one ingress network', async () => {
  const { control } = await controlBench();
  await assert.rejects(control.createNetwork(networkSpec('second', { ingress: true })), {
    code: 'SWM_CONFLICT',
    message: 'ingress network (ingress) is already present',
  });
});

test('a network in use stays', async () => {
  const { control } = await controlBench();
  const net = await control.createNetwork(networkSpec('net'));
  const service = await control.createService(onNetwork('net'));
  await assert.rejects(control.removeNetwork(net.id), {
    code: 'SWM_FAILED_PRECONDITION',
    message: `network ${net.id} is in use by service ${service.id}`,
  });
  await control.removeService(service.id);
  await control.removeNetwork(net.id);
  await assert.rejects(control.removeNetwork(net.id), {
    code: 'SWM_NOT_FOUND',
    message: `network ${net.id} not found`,
  });
});

test('the ingress network stays while a service publishes a port', async () => {
  const { control, store } = await controlBench();
  const [ingress] = store.view((tx) => tx.find('network', { name: 'ingress' }));
  const endpoint = { ports: [{ targetPort: 80, publishedPort: 8080 }] };
  const service = await control.createService(serviceSpec('web', { endpoint }));
  await assert.rejects(control.removeNetwork(ingress?.id ?? ''), {
    message: `ingress network cannot be removed because service ${service.id} depends on it`,
  });
});

test('predefined networks stay', async () => {
  const bench = await controlBench();
  await addPredefined(bench, 'host');
  await assert.rejects(bench.control.removeNetwork('host-id'), {
    code: 'SWM_PERMISSION_DENIED',
    message: 'host is a pre-defined network and cannot be removed',
  });
});

test('a container is attached by a task of its own, until its node detaches it', async () => {
  const { control, context, store } = await controlBench();
  const net = await control.createNetwork(networkSpec('net', { attachable: true }));
  const config = { target: 'net', aliases: ['db'], addresses: [] };
  const request = { containerId: 'c1', config };
  const id = await attachNetwork(context, 'node1', request);
  const task = store.view((tx) => tx.get('task', id));
  assert.equal(task?.nodeId, 'node1');
  assert.equal(task?.status?.state, TaskState.NEW);
  assert.equal(task?.spec?.networks[0]?.target, net.id);
  assert.deepEqual(task?.spec?.networks[0]?.aliases, ['db']);
  await assert.rejects(attachNetwork(context, 'node1', request), {
    message: 'container c1 is already attached to network net',
  });
  await assert.rejects(control.removeNetwork(net.id), {
    message: `network ${net.id} is in use by task ${id}`,
  });
  await assert.rejects(detachNetwork(context, 'node2', id), { code: 'SWM_PERMISSION_DENIED' });
  await detachNetwork(context, 'node1', id);
  await assert.rejects(detachNetwork(context, 'node1', id), { code: 'SWM_NOT_FOUND' });
  await control.removeNetwork(net.id);
});

test('containers attach to attachable networks only', async () => {
  const { control, context } = await controlBench();
  await control.createNetwork(networkSpec('net'));
  const attach = (target: string) =>
    attachNetwork(context, 'n', {
      containerId: 'c',
      config: { target, aliases: [], addresses: [] },
    });
  await assert.rejects(attach('net'), {
    code: 'SWM_PERMISSION_DENIED',
    message: 'network net not manually attachable',
  });
  await assert.rejects(attach('nope'), {
    code: 'SWM_NOT_FOUND',
    message: 'network nope not found',
  });
});
