import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VXLAN_IDS_OPTION } from '../../../manager/allocator/vni.ts';
import type { Network } from '../../../proto/gen/swarm/objects.ts';
import { localStore } from '../../support/local-store.ts';
import { World } from './world.ts';

function world(): World {
  return new World(localStore().store);
}

const subnets = (network: Network) => network.ipam?.configs.map(({ subnet }) => subnet);
const vni = (network: Network) => network.driverState?.options[VXLAN_IDS_OPTION];
const ipam = (...configs: { subnet?: string; gateway?: string; range?: string }[]) => ({
  ipam: { configs },
});

test('overlays get /24s of 10/8, gateway .1 and VXLAN ids from 4096', async () => {
  const w = world();
  const ingress = await w.ingress();
  const net = await w.network('net');
  assert.deepEqual(ingress.ipam?.configs, [
    { family: 4, subnet: '10.0.0.0/24', range: '', gateway: '10.0.0.1', reserved: {} },
  ]);
  assert.equal(ingress.ipam?.driver?.name, 'default');
  assert.deepEqual(ingress.driverState, {
    name: 'overlay',
    options: { [VXLAN_IDS_OPTION]: '4096' },
  });
  assert.deepEqual(subnets(net), ['10.0.1.0/24']);
  assert.equal(vni(net), '4097');
});

test('the pools and the size of the cluster are used, in order, until they are used up', async () => {
  const w = world();
  await w.cluster({ defaultAddressPool: ['20.20.0.0/25', '30.30.0.0/26'], subnetSize: 26 });
  assert.deepEqual(subnets(await w.network('a')), ['20.20.0.0/26']);
  assert.deepEqual(subnets(await w.network('b')), ['20.20.0.64/26']);
  assert.deepEqual(subnets(await w.network('c')), ['30.30.0.0/26']);
  await assert.rejects(w.network('d'), {
    code: 'SWM_RESOURCE_EXHAUSTED',
    message: /could not find an available, non-overlapping IPv4 address pool among the defaults/,
  });
  await w.remove('network', 'b');
  assert.deepEqual(subnets(await w.network('e')), ['20.20.0.64/26']);
});

test('an automatic subnet keeps clear of those that users named', async () => {
  const w = world();
  await w.network('a', ipam({ subnet: '10.0.0.0/23' }));
  await w.network('b', ipam({ subnet: '10.0.2.128/25' }));
  assert.deepEqual(subnets(await w.network('c')), ['10.0.3.0/24']);
});

test('a subnet in use is refused, and whose it is', async () => {
  const w = world();
  await w.network('a', ipam({ subnet: '10.9.0.0/16' }));
  await assert.rejects(w.network('b', ipam({ subnet: '10.9.8.0/24' })), {
    code: 'SWM_INVALID_ARGUMENT',
    message:
      'invalid pool request: Pool overlaps with other one on this address space: ' +
      '10.9.8.0/24 overlaps 10.9.0.0/16 of network a (a)',
  });
  await assert.rejects(
    w.network('c', ipam({ subnet: '10.1.0.0/24' }, { subnet: '10.1.0.0/25' })),
    /Pool overlaps with other one on this address space/,
  );
});

test('what a user gives is kept, or refused with what is wrong', async () => {
  const w = world();
  const given = { subnet: '10.5.0.0/24', gateway: '10.5.0.9', range: '10.5.0.128/25' };
  const network = await w.network('a', ipam(given));
  assert.deepEqual(network.ipam?.configs, [{ family: 4, reserved: {}, ...given }]);
  const refused: [{ subnet: string; gateway?: string; range?: string }, RegExp][] = [
    [{ subnet: '10.6.0.5/24' }, /invalid subnet 10.6.0.5\/24: it should be 10.6.0.0\/24/],
    [{ subnet: 'x' }, /invalid subnet x/],
    [{ subnet: '10.6.0.0/31' }, /no room/],
    [{ subnet: '10.6.0.0/24', gateway: '10.7.0.1' }, /invalid gateway 10.7.0.1: it is not in/],
    [{ subnet: '10.6.0.0/24', gateway: 'x' }, /invalid gateway x/],
    [{ subnet: '10.6.0.0/24', range: '10.7.0.0/25' }, /invalid ip-range 10.7.0.0\/25/],
    [{ subnet: '10.6.0.0/24', range: '10.6.0.0/16' }, /invalid ip-range/],
  ];
  for (const [config, message] of refused) {
    await assert.rejects(w.network('b', ipam(config)), { code: 'SWM_INVALID_ARGUMENT', message });
  }
});

test('each IPv4 subnet has a VXLAN id, and named ids are honoured', async () => {
  const w = world();
  const two = await w.network('two', ipam({ subnet: '10.5.0.0/24' }, { subnet: '10.6.0.0/24' }));
  assert.equal(vni(two), '4096,4097');
  const driverConfig = { options: { [VXLAN_IDS_OPTION]: '4098', encrypted: '' } };
  const named = await w.network('named', { driverConfig });
  assert.deepEqual(named.driverState?.options, { [VXLAN_IDS_OPTION]: '4098', encrypted: '' });
  assert.equal(vni(await w.network('next')), '4099');
  await assert.rejects(w.network('again', { driverConfig }), {
    message: 'vxlan id 4098 is already in use by network named (named)',
  });
  await w.remove('network', 'next');
  assert.equal(vni(await w.network('later')), '4100', 'a freed id is reused as late as possible');
  const wrong = { driverConfig: { options: { [VXLAN_IDS_OPTION]: '99999999' } } };
  await assert.rejects(w.network('wrong', wrong), /invalid vxlan id value 99999999/);
});

test('IPv6 gets a unique local /64 beside the IPv4 subnet', async () => {
  const w = world();
  const a = await w.network('a', { ipv6Enabled: true });
  const b = await w.network('b', { ipv6Enabled: true });
  assert.match(subnets(a)?.[1] ?? '', /^fd[0-9a-f]{2}:.*::\/64$/);
  assert.notEqual(subnets(a)?.[1], subnets(b)?.[1]);
  assert.equal(vni(a), '4096', 'one id: only IPv4 subnets have one');
  const given = await w.network('c', { ipv6Enabled: true, ...ipam({ subnet: 'fd00:5::/64' }) });
  assert.deepEqual(
    given.ipam?.configs.map(({ gateway }) => gateway),
    ['10.0.2.1', 'fd00:5::1'],
  );
});

test('node-local drivers have nothing of the cluster', async () => {
  const network = await world().network('host', { driverConfig: { name: 'host' } });
  assert.deepEqual(network.driverState, { name: 'host', options: {} });
  assert.equal(network.ipam, undefined);
});
