import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { attachment, endpointConfig, overlayNetwork, sandboxConfig } from './support/builders.ts';
import { Laboratory, noRoot, remains } from './support/hosts.ts';
import { ask, greet, lookUp } from './support/sockets.ts';

describe('an overlay between two hosts', { skip: noRoot }, () => {
  const network = overlayNetwork('back');
  const service = { id: 'svcweb', name: 'web', virtualIp: '10.0.1.2', aliases: ['www'] };
  let lab: Laboratory;

  const [one, two] = ['web.1.taskone', 'web.2.tasktwo'].map((name) => sandboxConfig(name));
  const probe = sandboxConfig('probe');
  const netnsOf = (config: { containerId: string }) => config.containerId.slice(0, 12);

  before(async () => {
    lab = new Laboratory(2);
    await lab.start();
    for (const host of lab.hosts) {
      await host.driver.setNodeAttachments([attachment(network, `10.0.1.${10 + host.index}/24`)]);
    }
  });
  after(() => lab.remove());

  test('nothing exists before the first endpoint', () => {
    for (const host of lab.hosts) {
      assert.deepEqual(host.driver.overlays(), []);
      assert.deepEqual(remains(host), { netns: [], links: [], nft: '' });
    }
  });

  test('endpoints on both hosts reach each other', async () => {
    const [a, b] = lab.hosts;
    assert.ok(a && b && one && two);
    for (const [host, config, ip] of [
      [a, one, '10.0.1.3/24'],
      [b, two, '10.0.1.4/24'],
    ] as const) {
      await host.driver.createSandbox(config);
      await host.driver.connect(
        config.containerId,
        endpointConfig(config.containerName, network, ip, service),
      );
    }
    await a.driver.createSandbox(probe);
    await a.driver.connect(probe.containerId, endpointConfig('probe', network, '10.0.1.5/24'));
    await greet(a.kernel, netnsOf(one), 80, 'one');
    await greet(b.kernel, netnsOf(two), 80, 'two');
    await eventually(async () => {
      assert.equal(await ask(a.kernel, netnsOf(probe), '10.0.1.3', 80), 'one 10.0.1.5');
      assert.equal(await ask(a.kernel, netnsOf(probe), '10.0.1.4', 80), 'two 10.0.1.5');
    });
  });

  test('the address of a service leads to its tasks in turn, once they are enabled', async () => {
    const [a, b] = lab.hosts;
    assert.ok(a && b && one && two);
    await a.driver.enableService(one.containerId);
    await b.driver.enableService(two.containerId);
    await eventually(async () => {
      const answers = [];
      for (let i = 0; i < 4; i++) {
        answers.push((await ask(a.kernel, netnsOf(probe), '10.0.1.2', 80)).split(' ')[0]);
      }
      assert.deepEqual(answers.sort(), ['one', 'one', 'two', 'two']);
    });
  });

  test('a task reaches itself through the address of its service', async () => {
    const [a] = lab.hosts;
    assert.ok(a && one);
    const answers = new Set<string>();
    for (let i = 0; i < 4; i++) answers.add(await ask(a.kernel, netnsOf(one), '10.0.1.2', 80));
    assert.ok(answers.has('one 10.0.1.11'), [...answers].join(', '));
  });

  test('names resolve in every container', async () => {
    const [a, b] = lab.hosts;
    assert.ok(a && b && one && two);
    const resolve = async (name: string, type?: 'A' | 'AAAA' | 'PTR' | 'SRV') => {
      const { rcode, data } = await lookUp(b.kernel, netnsOf(two), name, type);
      return [rcode, ...data.map((entry) => (typeof entry === 'string' ? entry : '?')).sort()];
    };
    assert.deepEqual(await resolve('web'), ['NOERROR', '10.0.1.2']);
    assert.deepEqual(await resolve('WWW.back'), ['NOERROR', '10.0.1.2']);
    assert.deepEqual(await resolve('tasks.web'), ['NOERROR', '10.0.1.3', '10.0.1.4']);
    assert.deepEqual(await resolve('1.web'), ['NOERROR', '10.0.1.3']);
    assert.deepEqual(await resolve('probe'), ['NOERROR', '10.0.1.5']);
    assert.deepEqual(await resolve('web', 'AAAA'), ['NOERROR']);
    assert.deepEqual(await resolve('2.1.0.10.in-addr.arpa', 'PTR'), ['NOERROR', 'web.back']);
  });

  test('a drained task gets no new connections and leaves the names', async () => {
    const [a, b] = lab.hosts;
    assert.ok(a && b && two);
    await b.driver.disableService(two.containerId);
    for (let i = 0; i < 4; i++) {
      assert.equal(await ask(a.kernel, netnsOf(probe), '10.0.1.2', 80), 'one 10.0.1.11');
    }
    const { data } = await lookUp(a.kernel, netnsOf(probe), 'tasks.web');
    assert.deepEqual(data, ['10.0.1.3']);
  });

  test('inspect shows local endpoints, the balancer, peers and services', () => {
    const [a] = lab.hosts;
    assert.ok(a && one);
    const view = a.driver.inspect(network.id);
    assert.ok(view);
    assert.deepEqual(
      Object.keys(view.containers).sort(),
      [...[one.containerId, probe.containerId].sort(), 'lb-back'].sort(),
    );
    assert.equal(view.containers['lb-back']?.name, 'back-endpoint');
    assert.deepEqual(
      view.peers.map((peer) => peer.ip),
      ['192.168.90.1', '192.168.90.2'],
    );
    const web = view.services.find((entry) => entry.name === 'web');
    assert.equal(web?.virtualIp, '10.0.1.2');
    assert.equal(web?.localLBIndex, 256);
    assert.deepEqual(web?.tasks.map((task) => [task.endpointIp, task.hostIp]).sort(), [
      ['10.0.1.3', '192.168.90.1'],
      ['10.0.1.4', '192.168.90.2'],
    ]);
  });

  test('containers reach the outside through the gateway bridge', async () => {
    const [a] = lab.hosts;
    assert.ok(a && one);
    const server = await greet(lab.client, '', 8000, 'outside');
    assert.equal(await ask(a.kernel, netnsOf(one), lab.clientIp, 8000), 'outside 192.168.90.1');
    server.close();
  });

  test('with the last endpoint everything goes', async () => {
    const [a, b] = lab.hosts;
    assert.ok(a && b && one && two);
    await a.driver.disconnect(probe.containerId, network.id);
    await a.driver.removeSandbox(probe.containerId);
    await a.driver.removeSandbox(one.containerId);
    await b.driver.removeSandbox(two.containerId);
    for (const host of lab.hosts) {
      assert.deepEqual(host.driver.overlays(), []);
      assert.deepEqual(remains(host), { netns: [], links: [], nft: '' });
    }
  });
});
