import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { NetworkConfig, SandboxConfig } from '../../netdriver/types.ts';
import { eventually } from '../support/eventually.ts';
import {
  attachment,
  endpointConfig,
  ingressNetwork,
  overlayNetwork,
  sandboxConfig,
} from './support/builders.ts';
import { Laboratory, noRoot, type TestHost } from './support/hosts.ts';
import { ask, greet, lookUp, lookUpTcp, serveName } from './support/sockets.ts';

describe('kinds of overlay networks', { skip: noRoot }, () => {
  let lab: Laboratory;
  let a: TestHost;
  let b: TestHost;
  const netnsOf = (config: { containerId: string }) => config.containerId.slice(0, 12);

  before(async () => {
    lab = new Laboratory(2);
    await lab.start();
    [a, b] = lab.hosts as [TestHost, TestHost];
  });
  after(() => lab.remove());

  async function run(
    host: TestHost,
    name: string,
    network: NetworkConfig,
    address: string,
    init: Partial<SandboxConfig> = {},
  ) {
    const config = sandboxConfig(name, init);
    await host.driver.createSandbox(config);
    await host.driver.connect(config.containerId, endpointConfig(name, network, address));
    return config;
  }

  test('an internal network reaches its peers and nothing else', async () => {
    const inner = overlayNetwork('inner', { internal: true });
    const one = await run(a, 'in1', inner, '10.0.1.3/24');
    const two = await run(b, 'in2', inner, '10.0.1.4/24');
    await greet(b.kernel, netnsOf(two), 80, 'two');
    await eventually(async () => {
      assert.equal(await ask(a.kernel, netnsOf(one), '10.0.1.4', 80), 'two 10.0.1.3');
    });
    const destinations = a.kernel.routes(netnsOf(one)).map(({ to }) => to);
    assert.deepEqual(destinations, ['10.0.1.0/24']);
    assert.equal((await lookUp(a.kernel, netnsOf(one), 'example.test')).rcode, 'SERVFAIL');
    assert.deepEqual((await lookUp(a.kernel, netnsOf(one), 'in2')).data, ['10.0.1.4']);
    assert.equal(a.kernel.links('').length, 2);
    await a.driver.removeSandbox(one.containerId);
    await b.driver.removeSandbox(two.containerId);
  });

  test('a network with two subnets routes between them', async () => {
    const wide = overlayNetwork('wide', {
      subnets: [
        { subnet: '10.0.3.0/24', gateway: '10.0.3.1', vni: 4100 },
        { subnet: '10.0.4.0/24', gateway: '10.0.4.1', vni: 4101 },
      ],
    });
    const one = await run(a, 'wide1', wide, '10.0.3.3/24');
    const two = await run(a, 'wide2', wide, '10.0.4.4/24');
    const three = await run(b, 'wide3', wide, '10.0.4.5/24');
    await greet(a.kernel, netnsOf(two), 80, 'two');
    await greet(b.kernel, netnsOf(three), 80, 'three');
    await eventually(async () => {
      assert.equal(await ask(a.kernel, netnsOf(one), '10.0.4.4', 80), 'two 10.0.3.3');
      assert.equal(await ask(a.kernel, netnsOf(two), '10.0.4.5', 80), 'three 10.0.4.4');
    });
    for (const [host, config] of [
      [a, one],
      [a, two],
      [b, three],
    ] as const) {
      await host.driver.removeSandbox(config.containerId);
    }
  });

  test('a container may be on several networks, and asks the name servers it was given', async () => {
    const back = overlayNetwork('back', {
      subnets: [{ subnet: '10.0.5.0/24', gateway: '10.0.5.1', vni: 4102 }],
    });
    const front = overlayNetwork('front', {
      subnets: [{ subnet: '10.0.6.0/24', gateway: '10.0.6.1', vni: 4103 }],
    });
    const server = await serveName(lab.client, '', 'given.test', '192.0.2.9');
    const one = await run(a, 'multi', back, '10.0.5.3/24', {
      dns: { nameservers: [lab.clientIp], search: ['corp.test'], options: [] },
    });
    await a.driver.connect(one.containerId, endpointConfig('multi', front, '10.0.6.3/24'));
    const two = await run(b, 'friend', front, '10.0.6.4/24');
    const info = a.driver.sandbox(one.containerId)?.info;
    assert.deepEqual(
      info?.endpoints.map(({ ifname }) => ifname),
      ['eth0', 'eth2'],
    );
    assert.match(info?.resolvConf ?? '', /^search corp\.test$/m);
    await eventually(async () => {
      assert.deepEqual((await lookUp(a.kernel, netnsOf(one), 'friend')).data, ['10.0.6.4']);
    });
    assert.deepEqual((await lookUp(a.kernel, netnsOf(one), 'given.test')).data, ['192.0.2.9']);
    assert.deepEqual(await lookUpTcp(a.kernel, netnsOf(one), 'friend'), ['10.0.6.4']);
    server.close();
    await a.driver.disconnect(one.containerId, back.id);
    assert.deepEqual(
      a.driver.overlays().map(({ name }) => name),
      ['front'],
    );
    await greet(b.kernel, netnsOf(two), 80, 'friend');
    assert.equal(await ask(a.kernel, netnsOf(one), '10.0.6.4', 80), 'friend 10.0.6.3');
    await a.driver.removeSandbox(one.containerId);
    await b.driver.removeSandbox(two.containerId);
  });

  test('ingress is present by the node’s attachment alone, and goes with it', async () => {
    await a.driver.setNodeAttachments([attachment(ingressNetwork, '10.0.0.2/24')]);
    const view = a.driver.inspect(ingressNetwork.id);
    assert.deepEqual(Object.keys(view?.containers ?? {}), ['ingress-sbox']);
    assert.equal(view?.containers['ingress-sbox']?.name, 'ingress-endpoint');
    assert.equal(view?.containers['ingress-sbox']?.ipv4Address, '10.0.0.2/24');
    await a.driver.setNodeAttachments([]);
    assert.equal(a.driver.inspect(ingressNetwork.id), undefined);
    assert.deepEqual(a.kernel.netnsNames(), []);
  });
});
