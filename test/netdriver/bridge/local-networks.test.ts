import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, describe, test } from 'node:test';
import { LocalNetworks, type LocalNetworksFile } from '../../../netdriver/bridge/local-networks.ts';
import { StateFile } from '../../../netdriver/state-file.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { FakeKernel } from '../support/fake-kernel.ts';

const folder = mkdtempSync(`${tmpdir()}/local-networks-`);
let files = 0;
after(() => rmSync(folder, { recursive: true }));

async function networksOn(kernel: FakeKernel, path = `${folder}/${files++}/networks.json`) {
  const networks = new LocalNetworks({
    kernel,
    clock: new VirtualClock(),
    random: seededRandom(files),
    file: new StateFile<LocalNetworksFile>(path),
  });
  await networks.start(new Set());
  return { networks, path };
}

const spec = (name: string, subnet?: string) => ({
  name,
  driver: 'bridge' as const,
  subnets: subnet ? [{ subnet }] : [],
  internal: false,
  attachable: false,
  options: {},
  labels: {},
});

describe('local networks', () => {
  test('three are there from the start, and all survive a restart', async () => {
    const kernel = new FakeKernel();
    const { networks, path } = await networksOn(kernel);
    const own = await networks.create(spec('own', '10.5.0.77/24'));
    assert.deepEqual(own.subnets, [{ subnet: '10.5.0.0/24', gateway: '10.5.0.1' }]);
    const again = await networksOn(kernel, path);
    assert.deepEqual(again.networks.list(), networks.list());
    await again.networks.remove(own.id);
    assert.equal((await networksOn(kernel, path)).networks.get(own.id), undefined);
  });

  test('subnets are chosen around the routes of the host', async () => {
    const kernel = new FakeKernel();
    await kernel.apply('', [
      { op: 'set-route', to: '172.17.0.0/16', dev: 'docker0' },
      { op: 'set-route', to: '172.18.4.0/24', dev: 'eth0' },
      { op: 'set-route', to: '0.0.0.0/0', via: '192.0.2.1' },
    ]);
    const { networks } = await networksOn(kernel);
    assert.equal(networks.find('bridge')?.subnets[0]?.subnet, '172.19.0.0/16');
    assert.equal((await networks.gateway()).subnets[0]?.subnet, '172.20.0.0/16');
    assert.equal(
      (await networks.gateway()).options['com.docker.network.bridge.enable_icc'],
      'false',
    );
  });

  test('a subnet that the host took since gives way, unless containers hold it', async () => {
    const kernel = new FakeKernel();
    const { networks, path } = await networksOn(kernel);
    const bridge = networks.find('bridge');
    assert.ok(bridge);
    await kernel.apply('', [{ op: 'set-route', to: '172.17.3.0/24', dev: 'tun0' }]);
    const file = new StateFile<LocalNetworksFile>(path);
    const components = { kernel, clock: new VirtualClock(), random: seededRandom(1), file };
    const held = new LocalNetworks(components);
    await held.start(new Set([bridge.id]));
    assert.equal(held.get(bridge.id)?.subnets[0]?.subnet, '172.17.0.0/16');
    const free = new LocalNetworks(components);
    await free.start(new Set());
    assert.equal(free.get(bridge.id)?.subnets[0]?.subnet, '172.18.0.0/16');
  });

  test('own bridges are no reason to avoid a subnet', async () => {
    const kernel = new FakeKernel();
    const { path } = await networksOn(kernel);
    await kernel.apply('', [{ op: 'set-route', to: '172.17.0.0/16', dev: 'swarm0' }]);
    const { networks } = await networksOn(kernel, path);
    assert.equal(networks.find('bridge')?.subnets[0]?.subnet, '172.17.0.0/16');
  });

  test('names, devices, drivers and gateways are checked', async () => {
    const { networks } = await networksOn(new FakeKernel());
    const device = { 'com.docker.network.bridge.name': 'swarm0' };
    await assert.rejects(
      networks.create({ ...spec('x'), options: device }),
      /used by network bridge/,
    );
    await assert.rejects(networks.create({ ...spec('x'), driver: 'overlay' }), /not overlay/);
    await assert.rejects(networks.create({ ...spec('x'), driver: 'host' }), /only one instance/);
    const outside = { ...spec('x'), subnets: [{ subnet: '10.5.0.0/24', gateway: '10.6.0.1' }] };
    await assert.rejects(networks.create(outside), /10.6.0.1 is not in the subnet 10.5.0.0\/24/);
    await assert.rejects(networks.create(spec('x', '10.5.0.0/31')), /no room/);
  });

  test('when every pool is used up, it says so', async () => {
    const { networks } = await networksOn(new FakeKernel());
    for (let i = 0; i < 30; i++) await networks.create(spec(`n${i}`));
    await assert.rejects(networks.create(spec('last')), /all predefined address pools/);
  });
});

describe('a state file', () => {
  test('is replaced as a whole, and the last save wins', async () => {
    const path = `${folder}/state/file.json`;
    const file = new StateFile<{ n: number }>(path);
    assert.equal(await file.load(), undefined);
    await Promise.all([1, 2, 3].map((n) => file.save({ n })));
    assert.deepEqual(await new StateFile(path).load(), { n: 3 });
    assert.deepEqual(readdirSync(`${folder}/state`), ['file.json']);
  });

  test('that cannot be read is not taken for an empty one', async () => {
    writeFileSync(`${folder}/broken.json`, '{');
    await assert.rejects(new StateFile(`${folder}/broken.json`).load(), { code: 'SWM_DAMAGED' });
  });
});
