import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../../common/errors.ts';
import type { NetworkConfig, NetworkView } from '../../../netdriver/index.ts';
import { addPredefined } from '../../manager/control/fixture.ts';
import { type ApiBench, apiBench } from './bench.ts';
import { localNetwork } from './fake-netdriver.ts';

const OVERLAY = { Name: 'ov1', Driver: 'overlay', Attachable: true, Labels: { a: 'b' } };

function present(id: string, name: string): NetworkConfig {
  return {
    ...localNetwork(id, name),
    driver: 'overlay',
    subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1/24', vni: 4097 }],
  };
}

function view(config: NetworkConfig): NetworkView {
  return {
    config,
    containers: {
      c1: {
        name: 'web.1.x',
        endpointId: 'e1',
        macAddress: '02:42:0a:00:01:03',
        ipv4Address: '10.0.1.3/24',
      },
    },
    peers: [{ name: 'abc', ip: '10.1.0.1' }],
    services: [
      {
        name: 'web',
        virtualIp: '10.0.1.2',
        ports: ['Target: 80, Publish: 8080'],
        localLBIndex: 256,
        tasks: [{ name: 'web.1.x', endpointId: 'e1', endpointIp: '10.0.1.3', hostIp: '10.1.0.1' }],
      },
    ],
  };
}

async function names({ call }: ApiBench, filters: object = {}): Promise<string[]> {
  const query = encodeURIComponent(JSON.stringify(filters));
  const { json } = await call('GET', `/networks?filters=${query}`);
  return json.map((network: { Name: string }) => network.Name).sort();
}

test('the list has the networks of the node and of the swarm', async () => {
  const bench = await apiBench();
  await addPredefined(bench.control, 'host');
  const created = await bench.call('POST', '/v1.50/networks/create', OVERLAY);
  assert.deepEqual([created.status, created.json.Warning], [201, '']);
  assert.deepEqual(await names(bench), ['bridge', 'host', 'ingress', 'none', 'ov1']);
  assert.deepEqual(await names(bench, { scope: { swarm: true } }), ['ingress', 'ov1']);
  assert.deepEqual(await names(bench, { driver: { overlay: true } }), ['ingress', 'ov1']);
  assert.deepEqual(await names(bench, { type: { custom: true } }), ['ov1']);
  assert.deepEqual(await names(bench, { label: { 'a=b': true } }), ['ov1']);
  assert.deepEqual(await names(bench, { name: { in: true } }), ['ingress']);
  assert.deepEqual(await names(bench, { dangling: { true: true } }), ['ov1']);
  assert.equal((await bench.call('GET', '/networks/')).status, 200);
});

test('the list survives the loss of the leader', async () => {
  const bench = await apiBench();
  bench.manager.failure = new SwarmError('SWM_NO_LEADER', 'none');
  assert.deepEqual(await names(bench), ['bridge', 'host', 'ingress', 'none']);
});

test('inspecting: by id, name, prefix and scope', async () => {
  const bench = await apiBench();
  const { json: created } = await bench.call('POST', '/networks/create', OVERLAY);
  for (const ref of [created.Id, 'ov1', created.Id.slice(0, 9), 'ov1?scope=swarm']) {
    const { json } = await bench.call('GET', `/networks/${ref}`);
    assert.equal(json.Id, created.Id);
    assert.equal(json.Scope, 'swarm');
    assert.equal(json.Attachable, true);
    assert.equal(json.IPAM.Config[0].Subnet, '10.0.1.0/24');
    assert.deepEqual(json.Containers, {});
    assert.equal(json.Peers, undefined);
  }
  const wrong = await bench.call('GET', '/networks/ov1?scope=local');
  assert.deepEqual([wrong.status, wrong.json.message], [404, 'network ov1 not found']);
});

test('inspecting tells how full the subnet is', async () => {
  const bench = await apiBench();
  await bench.call('POST', '/networks/create', OVERLAY);
  const usage = async () => {
    const { json } = await bench.call('GET', '/networks/ov1');
    return json.Status.IPAM.Subnets['10.0.1.0/24'];
  };
  const before = await usage();
  await bench.call('POST', '/services/create', {
    Name: 'web',
    TaskTemplate: { ContainerSpec: { Image: 'x' }, Networks: [{ Target: 'ov1' }] },
  });
  const after = await usage();
  assert.equal(after.IPsInUse, before.IPsInUse + 1);
  assert.equal(after.IPsInUse + after.DynamicIPsAvailable, 254);
  assert.equal(after.Addresses, undefined);
  const { json } = await bench.call('GET', '/networks/ov1?verbose=true');
  const [, vip] = json.Status.IPAM.Subnets['10.0.1.0/24'].Addresses;
  assert.deepEqual([vip.Address, vip.Kind, vip.Name], ['10.0.1.2', 'service', 'web']);
});

test('inspecting where the network is present shows its endpoints, and services if asked', async () => {
  const bench = await apiBench();
  const { json: created } = await bench.call('POST', '/networks/create', OVERLAY);
  bench.node.drivers.views.set(created.Id, view(present(created.Id, 'ov1')));
  const { json } = await bench.call('GET', '/networks/ov1');
  assert.deepEqual(json.Containers.c1, {
    Name: 'web.1.x',
    EndpointID: 'e1',
    MacAddress: '02:42:0a:00:01:03',
    IPv4Address: '10.0.1.3/24',
    IPv6Address: '',
  });
  assert.deepEqual(json.Peers, [{ Name: 'abc', IP: '10.1.0.1' }]);
  assert.equal(json.Services, undefined);
  const { json: verbose } = await bench.call('GET', '/networks/ov1?verbose=true');
  assert.deepEqual(verbose.Services.web, {
    VIP: '10.0.1.2',
    Ports: ['Target: 80, Publish: 8080'],
    LocalLBIndex: 256,
    Tasks: [
      {
        Name: 'web.1.x',
        EndpointID: 'e1',
        EndpointIP: '10.0.1.3',
        Info: { 'Host IP': '10.1.0.1' },
      },
    ],
  });
});

test('a worker knows the overlays that are present, and makes none', async () => {
  const bench = await apiBench({ swarm: false });
  bench.node.become({ localNodeState: 'active', role: 'worker' }, undefined);
  bench.node.drivers.present.push(present('netaaaaaaaaaaaaaaaaaaaaaa', 'ov1'));
  assert.deepEqual(await names(bench, { scope: { swarm: true } }), ['ov1']);
  assert.equal((await bench.call('GET', '/networks/neta')).json.Scope, 'swarm');
  const refused = await bench.call('POST', '/networks/create', { Name: 'x', Driver: 'overlay' });
  assert.deepEqual(
    [refused.status, refused.json.message],
    [
      403,
      'Cannot create a multi-host network from a worker node. Please create the network from a manager node.',
    ],
  );
  assert.equal((await bench.call('DELETE', '/networks/ov1')).status, 503);
  // A network that this node has never seen is for the managers to find.
  await bench.call('POST', '/networks/far/connect', { Container: 'c1' });
  assert.deepEqual(bench.node.engine.calls, ['connect far c1 {}']);
});

test('an overlay needs a swarm', async () => {
  const { call } = await apiBench({ swarm: false });
  const { status, json } = await call('POST', '/networks/create', { Name: 'x', Driver: 'overlay' });
  assert.equal(status, 503);
  assert.match(json.message, /Use "docker swarm init"/);
});

test('local networks are made and removed with events', async () => {
  const bench = await apiBench({ swarm: false });
  const created = await bench.call('POST', '/networks/create', {
    Name: 'lan',
    IPAM: {
      Driver: 'default',
      Options: {},
      Config: [{ Subnet: '10.9.0.0/24', Gateway: '10.9.0.1' }],
    },
    Labels: { x: 'y' },
  });
  assert.equal(created.status, 201);
  const { json } = await bench.call('GET', '/networks/lan');
  assert.equal(json.Scope, 'local');
  assert.deepEqual(json.IPAM.Config, [{ Subnet: '10.9.0.0/24', Gateway: '10.9.0.1' }]);
  const removed = await bench.call('DELETE', '/networks/lan');
  assert.deepEqual([removed.status, removed.text], [204, '']);
  const until = Date.now() / 1_000;
  const { text } = await bench.call('GET', `/events?since=1&until=${until}`);
  const actions = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).Action);
  assert.deepEqual(actions, ['create', 'destroy']);
});

test('names that are taken, predefined or wrong are refused', async () => {
  const bench = await apiBench();
  const refusal = async (body: object) => {
    const { status, json } = await bench.call('POST', '/networks/create', body);
    return [status, json.message];
  };
  assert.deepEqual(await refusal({ Name: 'ingress' }), [
    409,
    'network with name ingress already exists',
  ]);
  assert.deepEqual(await refusal({ Name: 'host', Driver: 'overlay' }), [
    403,
    'host is a pre-defined network and cannot be created',
  ]);
  assert.deepEqual(await refusal({ Name: 'bridge' }), [
    403,
    'operation is not permitted on predefined bridge network',
  ]);
  assert.equal((await refusal({ Name: '' }))[0], 400);
  assert.equal((await refusal({ Name: 'm', Driver: 'macvlan' }))[0], 404);
  assert.equal((await refusal({ Name: 'h', Driver: 'host' }))[0], 403);
  assert.equal((await refusal({ Name: 'c', ConfigOnly: true }))[0], 501);
  assert.deepEqual(await refusal({ Name: 'v', Driver: 'overlay', EnableIPv4: false }), [
    400,
    'IPv4 cannot be disabled in a Swarm scoped network',
  ]);
  assert.deepEqual(await refusal({ ...OVERLAY, Name: 'i2', Ingress: true, Attachable: false }), [
    409,
    'ingress network (ingress) is already present',
  ]);
});

test('everything that is wrong with the addresses is said at once', async () => {
  const { call } = await apiBench();
  const { status, json } = await call('POST', '/networks/create', {
    Name: 'x',
    IPAM: {
      Config: [
        { Subnet: '10.1.2.3/16', Gateway: '10.2.0.1', IPRange: '10.0.0.0/8' },
        { Subnet: 'nonsense' },
        { Subnet: 'fd00::/64' },
        { Subnet: '10.5.0.0/24', AuxiliaryAddresses: { printer: '10.6.0.1' } },
      ],
    },
  });
  assert.equal(status, 400);
  assert.deepEqual(json.message.split('\n'), [
    'invalid network config:',
    'invalid subnet 10.1.2.3/16: it should be 10.1.0.0/16',
    'invalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet 10.1.2.3/16',
    "invalid gateway 10.2.0.1: parent subnet 10.1.2.3/16 doesn't contain this address",
    'invalid subnet nonsense: invalid CIDR block notation',
    'invalid subnet fd00::/64: IPv6 has not been enabled for this network',
    "invalid auxiliary address 10.6.0.1: parent subnet 10.5.0.0/24 doesn't contain this address",
  ]);
});

test('a network in use stays', async () => {
  const bench = await apiBench();
  await bench.call('POST', '/networks/create', OVERLAY);
  await bench.call('POST', '/services/create', {
    Name: 'web',
    TaskTemplate: { ContainerSpec: { Image: 'x' }, Networks: [{ Target: 'ov1' }] },
  });
  const refused = await bench.call('DELETE', '/networks/ov1');
  assert.equal(refused.status, 400);
  assert.match(refused.json.message, /^network \w+ is in use by service/);
  const predefined = await bench.call('DELETE', '/networks/none');
  assert.deepEqual(
    [predefined.status, predefined.json.message],
    [403, 'none is a pre-defined network and cannot be removed'],
  );
});

test('pruning removes what nobody uses', async () => {
  const bench = await apiBench();
  for (const Name of ['lone', 'kept']) {
    await bench.call('POST', '/networks/create', { ...OVERLAY, Name, Labels: { [Name]: '' } });
  }
  bench.node.drivers.networks.push(localNetwork('d'.repeat(64), 'lan'));
  bench.node.drivers.networks.push(localNetwork('e'.repeat(64), 'busy'));
  bench.node.drivers.views.set('e'.repeat(64), view(localNetwork('e'.repeat(64), 'busy')));
  const filters = encodeURIComponent('{"label!":{"kept":true}}');
  const { json } = await bench.call('POST', `/networks/prune?filters=${filters}`);
  assert.deepEqual(json.NetworksDeleted.sort(), ['lan', 'lone']);
  assert.deepEqual(await names(bench, { type: { custom: true } }), ['busy', 'kept']);
});

test('connect and disconnect name the network by id', async () => {
  const bench = await apiBench();
  const { json } = await bench.call('POST', '/networks/create', OVERLAY);
  const settings = { IPAMConfig: { IPv4Address: '10.0.1.9' }, Aliases: ['a1'] };
  const body = { Container: 'c1', EndpointConfig: settings };
  assert.equal((await bench.call('POST', '/networks/ov1/connect', body)).status, 200);
  await bench.call('POST', '/networks/ov1/disconnect', { Container: 'c1', Force: true });
  assert.deepEqual(bench.node.engine.calls, [
    `connect ${json.Id} c1 ${JSON.stringify(settings)}`,
    `disconnect ${json.Id} c1 true`,
  ]);
  const missing = await bench.call('POST', '/networks/nope/connect', body);
  assert.deepEqual([missing.status, missing.json.message], [404, 'network nope not found']);
});
