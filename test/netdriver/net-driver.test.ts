import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { isSwarmError } from '../../common/errors.ts';
import { Resolver } from '../../netdriver/resolver/resolver.ts';
import { spreadTime } from '../../netdriver/spread-time.ts';
import { GossipPort } from '../../proto/gen/swarm/gossip.ts';
import { settle } from '../support/virtual-clock.ts';
import {
  attachment,
  endpointConfig,
  ingressNetwork,
  overlayNetwork,
  sandboxConfig,
} from './support/builders.ts';
import { FakeNode, snapshot } from './support/fake-node.ts';
import { GossipBus } from './support/gossip-bus.ts';

// Name servers need real sockets; what they answer is tested by itself.
Resolver.prototype.start = async () => ({ udpPort: 1, tcpPort: 2 });
Resolver.prototype.stop = () => {};

const back = overlayNetwork('back');
const ingressPorts = [GossipPort.fromPartial({ publishedPort: 80, targetPort: 8080 })];
const web = { id: 'web', name: 'web', virtualIp: '10.0.1.2' };

describe('the driver of a node', () => {
  const nodes: FakeNode[] = [];
  const newNode = async (index?: number, bus?: GossipBus) => {
    const node = new FakeNode(index, bus);
    nodes.push(node);
    await node.start();
    return node;
  };
  after(() => {
    for (const node of nodes) node.remove();
  });

  async function runTask(node: FakeNode): Promise<string> {
    const config = sandboxConfig('web.1.task', {
      ports: [{ protocol: 'tcp', containerPort: 90, hostPort: 9090, hostIp: '' }],
    });
    await node.driver.createSandbox(config);
    const onIngress = { ...web, virtualIp: '', ingressPorts };
    await node.driver.connect(
      config.containerId,
      endpointConfig('a', ingressNetwork, '10.0.0.5/24', onIngress),
    );
    await node.driver.connect(config.containerId, endpointConfig('b', back, '10.0.1.3/24', web));
    await node.driver.enableService(config.containerId);
    await settle();
    return config.containerId;
  }

  const attachments = [attachment(ingressNetwork, '10.0.0.2/24'), attachment(back, '10.0.1.9/24')];

  test('whatever fails, nothing stays of what had been done', async () => {
    const node = await newNode();
    await node.driver.setNodeAttachments(attachments);
    await settle();
    const before = snapshot(node.kernel);
    let attempts = 0;
    for (; ; attempts++) {
      node.kernel.failAt = attempts;
      try {
        await runTask(node);
        await settle();
        if (node.kernel.failAt === undefined) throw new Error('failed where nobody waits for it');
        node.kernel.failAt = undefined;
        break;
      } catch (error) {
        node.kernel.failAt = undefined;
        assert.match(String(error), /told to fail|failed where nobody waits/, String(attempts));
        await node.driver.removeSandbox(sandboxConfig('web.1.task').containerId);
        await settle();
        assert.equal(snapshot(node.kernel), before, `after failure ${attempts}: ${error}`);
      }
    }
    assert.ok(attempts > 30, `only ${attempts} calls could fail`);
    await node.driver.removeSandbox(sandboxConfig('web.1.task').containerId);
    await settle();
    assert.equal(snapshot(node.kernel), before);
  });

  test('a failed connect leaves the sandbox as it was', async () => {
    const node = await newNode();
    const config = sandboxConfig('tool');
    await node.driver.createSandbox(config);
    const before = snapshot(node.kernel);
    const connect = () =>
      node.driver.connect(config.containerId, endpointConfig('t', back, '10.0.1.3/24'));
    for (let failAt = 0; ; failAt++) {
      node.kernel.failAt = failAt;
      const failed = await connect().then(
        () => false,
        () => true,
      );
      node.kernel.failAt = undefined;
      if (!failed) break;
      await settle();
      assert.equal(snapshot(node.kernel), before, `after failure ${failAt}`);
      assert.deepEqual(node.driver.sandbox(config.containerId)?.endpoints, []);
      assert.deepEqual(node.driver.overlays(), []);
    }
  });

  test('leaving the swarm removes overlays and ingress, with containers still attached', async () => {
    const node = await newNode();
    const before = snapshot(node.kernel);
    await node.driver.setNodeAttachments(attachments);
    const id = await runTask(node);
    await node.driver.leaveSwarm();
    assert.deepEqual(node.driver.overlays(), []);
    assert.deepEqual(node.driver.sandbox(id)?.endpoints, []);
    await node.driver.removeSandbox(id);
    assert.equal(snapshot(node.kernel), before);
  });

  test('a network that is attached before its balancer has an address gets it later', async () => {
    const node = await newNode();
    await runTask(node);
    assert.ok(!node.kernel.netnsNames().some((name) => name.startsWith('lb_')));
    await node.driver.setNodeAttachments(attachments);
    await settle();
    const balancer = `lb_${back.id.slice(0, 9)}`;
    const addresses = node.kernel.addresses(balancer).map(({ address }) => address);
    assert.deepEqual(addresses, ['10.0.1.9/24', '10.0.1.2/32']);
    await node.driver.setNodeAttachments(attachments.slice(0, 1));
    assert.ok(!node.kernel.netnsNames().includes(balancer));
  });

  test('disabling waits until the others had time to follow, and not at all when alone', async () => {
    const bus = new GossipBus();
    const node = await newNode(1, bus);
    const id = await runTask(node);
    await node.driver.disableService(id);
    await node.driver.enableService(id);
    const other = await newNode(2, bus);
    await other.driver.createSandbox(sandboxConfig('tool'));
    await other.driver.connect(
      sandboxConfig('tool').containerId,
      endpointConfig('t', back, '10.0.1.7/24'),
    );
    let done = false;
    const disabling = node.driver.disableService(id).then(() => {
      done = true;
    });
    await node.clock.advance(spreadTime(2) - 1);
    assert.equal(done, false);
    await node.clock.advance(1);
    await disabling;
  });

  test('the time to follow grows slowly and has an end', async () => {
    assert.equal(spreadTime(1), 0);
    assert.equal(spreadTime(2), 500);
    assert.equal(spreadTime(30), 1300);
    assert.equal(spreadTime(100_000), 2000);
  });

  test('a restarted driver keeps what the kernel has until the others have spoken', async () => {
    const bus = new GossipBus();
    const [node, other] = [await newNode(1, bus), await newNode(2, bus)];
    await node.driver.setNodeAttachments(attachments);
    const id = await runTask(node);
    await other.driver.createSandbox(sandboxConfig('tool'));
    await other.driver.connect(
      sandboxConfig('tool').containerId,
      endpointConfig('t', back, '10.0.1.7/24'),
    );
    await settle();
    const state = node.driver.sandbox(id);
    assert.ok(state);
    const before = snapshot(node.kernel);
    await node.driver.stop();
    await node.renew().start([state]);
    await settle();
    assert.equal(snapshot(node.kernel), before);
    const overlay = `1-${back.id.slice(0, 10)}`;
    assert.equal(node.kernel.peerEntries(overlay, 'vxlan0').neighbours.length, 1);
    // Entering anew, as after the daemon's start, and once more while it runs.
    for (let i = 0; i < 2; i++) {
      bus.deafen();
      await node.driver.joinSwarm(node.identity);
      await settle();
      assert.equal(snapshot(node.kernel), before);
      assert.equal(node.kernel.peerEntries(overlay, 'vxlan0').neighbours.length, 1);
      bus.hear();
      await settle();
      assert.equal(snapshot(node.kernel), before);
      assert.deepEqual(node.driver.sandbox(id), state);
    }
    await other.driver.removeSandbox(sandboxConfig('tool').containerId);
    await settle();
    assert.equal(node.kernel.peerEntries(overlay, 'vxlan0').neighbours.length, 0);
  });

  test('a silent node is still talked to, until it has left or another has its address', async () => {
    const bus = new GossipBus();
    const [node, other, third] = [
      await newNode(1, bus),
      await newNode(2, bus),
      await newNode(3, bus),
    ];
    await runTask(node);
    await other.driver.setNodeAttachments([attachment(ingressNetwork, '10.0.0.8/24')]);
    const run = async ({ driver }: FakeNode, name: string, address: string) => {
      await driver.createSandbox(sandboxConfig(name));
      const endpoint = endpointConfig(name, back, address);
      await driver.connect(sandboxConfig(name).containerId, endpoint);
    };
    await run(other, 'tool', '10.0.1.7/24');
    await run(other, 'tool2', '10.0.1.8/24');
    await settle();
    const vteps = () =>
      node.kernel
        .peerEntries(`1-${back.id.slice(0, 10)}`, 'vxlan0')
        .fdb.map(({ mac, vtep }) => `${mac.slice(-2)} ${vtep}`)
        .sort();
    const task = sandboxConfig('web.1.task').containerId.slice(0, 12);
    const routes = () => node.kernel.rules(task).length;
    assert.deepEqual(vteps(), ['07 192.168.1.2', '08 192.168.1.2']);
    assert.equal(routes(), 1);
    bus.setAlive(other.identity.nodeId, false);
    await settle();
    assert.deepEqual(vteps(), ['07 192.168.1.2', '08 192.168.1.2']);
    assert.equal(routes(), 1);
    await run(third, 'tool3', '10.0.1.8/24');
    await settle();
    assert.deepEqual(vteps(), ['07 192.168.1.2', '08 192.168.1.3']);
    bus.setAlive(other.identity.nodeId, true);
    await other.driver.leaveSwarm();
    await settle();
    assert.deepEqual(vteps(), ['08 192.168.1.3']);
    assert.equal(routes(), 0);
  });

  test('a device with the same VNI that somebody left behind gives way', async () => {
    const node = await newNode();
    await node.kernel.createNetns('1-oldoldoldo');
    await node.kernel.apply('', [
      { op: 'add-vxlan', name: 'vxlan0', netns: '1-oldoldoldo', vni: 4097, port: 4789, mtu: 1450 },
    ]);
    const config = sandboxConfig('tool');
    await node.driver.createSandbox(config);
    await node.driver.connect(config.containerId, endpointConfig('t', back, '10.0.1.3/24'));
    assert.deepEqual(node.kernel.links('1-oldoldoldo'), []);
  });

  test('what cannot be wired is refused in words', async () => {
    const node = new FakeNode();
    nodes.push(node);
    await node.driver.start([]);
    const config = sandboxConfig('tool');
    await node.driver.createSandbox(config);
    const connect = (network = back, address = '10.0.1.3/24') =>
      node.driver.connect(config.containerId, endpointConfig('t', network, address));
    await assert.rejects(connect(), /needs a swarm, and this node is not part of one/);
    await node.driver.joinSwarm(node.identity);
    await assert.rejects(connect(back, '10.7.7.7/24'), /is in no subnet of network back/);
    await assert.rejects(connect(back, ''), /the address "" is in no subnet/);
    const secret = overlayNetwork('secret', { options: { encrypted: '' } });
    await assert.rejects(connect(secret), /network secret is encrypted/);
    await assert.rejects(node.driver.createSandbox(config), (error) =>
      isSwarmError(error, 'SWM_CONFLICT'),
    );
    await assert.rejects(node.driver.disconnect(config.containerId, back.id), (error) =>
      isSwarmError(error, 'SWM_NOT_FOUND'),
    );
    await assert.rejects(node.driver.enableService('nobody'), /nobody has no network sandbox/);
    await node.driver.removeSandbox('nobody');
  });

  test('a container in the host’s namespace has no devices and no namespace', async () => {
    const node = await newNode();
    const host = node.driver.localNetworks().find((network) => network.name === 'host');
    assert.ok(host);
    const config = sandboxConfig('onhost', { mode: 'host' });
    const before = snapshot(node.kernel);
    assert.equal((await node.driver.createSandbox(config)).netnsPath, '');
    const info = await node.driver.connect(config.containerId, endpointConfig('h', host));
    assert.deepEqual([info.ifname, info.addresses], ['', []]);
    await assert.rejects(
      node.driver.connect(config.containerId, endpointConfig('x', back, '10.0.1.3/24')),
      /sharing network namespace/,
    );
    assert.equal(snapshot(node.kernel), before);
    await node.driver.removeSandbox(config.containerId);
  });
});
