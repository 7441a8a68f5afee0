import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { SandboxState } from '../../netdriver/types.ts';
import { GossipPort } from '../../proto/gen/swarm/gossip.ts';
import { eventually } from '../support/eventually.ts';
import {
  attachment,
  endpointConfig,
  ingressNetwork,
  overlayNetwork,
  sandboxConfig,
} from './support/builders.ts';
import { Laboratory, noRoot, remains, type TestHost } from './support/hosts.ts';
import { ask, greet, lookUp } from './support/sockets.ts';

const back = overlayNetwork('back');

describe('a restart of the daemon', { skip: noRoot }, () => {
  const tasks = ['web.1.one', 'web.2.two'].map((name) => sandboxConfig(name));
  const netnsOf = (config: { containerId: string }) => config.containerId.slice(0, 12);
  let lab: Laboratory;

  before(async () => {
    lab = new Laboratory(2);
    await lab.start();
    const ingressPorts = [GossipPort.fromPartial({ publishedPort: 8080, targetPort: 80 })];
    for (const [index, host] of lab.hosts.entries()) {
      const task = tasks[index]!;
      await host.driver.setNodeAttachments(attachmentsOf(host));
      await host.driver.createSandbox(task);
      await host.driver.connect(
        task.containerId,
        endpointConfig(task.containerName, ingressNetwork, `10.0.0.${20 + index}/24`, {
          ingressPorts,
        }),
      );
      await host.driver.connect(
        task.containerId,
        endpointConfig(task.containerName, back, `10.0.1.${20 + index}/24`, {
          virtualIp: '10.0.1.2',
        }),
      );
      await host.driver.enableService(task.containerId);
      await greet(host.kernel, netnsOf(task), 80, `task${index}`);
    }
  });
  after(() => lab.remove());

  const attachmentsOf = ({ index }: TestHost) => [
    attachment(ingressNetwork, `10.0.0.${1 + index}/24`),
    attachment(back, `10.0.1.${10 + index}/24`),
  ];

  test('no connection fails while a driver is away and while it takes over', async () => {
    const [a, b] = lab.hosts;
    assert.ok(a && b && tasks[0] && tasks[1]);
    await eventually(async () => {
      const answers = new Set<string>();
      for (let i = 0; i < 4; i++) answers.add(await ask(lab.client, '', a.ip, 8080));
      assert.equal(answers.size, 2);
    });
    const load = startLoad([
      () => ask(lab.client, '', a.ip, 8080),
      () => ask(lab.client, '', b.ip, 8080),
      () => ask(b.kernel, netnsOf(tasks[1]!), '10.0.1.2', 80),
      () => ask(a.kernel, netnsOf(tasks[0]!), '10.0.1.2', 80),
    ]);
    const state = JSON.parse(JSON.stringify(a.driver.sandbox(tasks[0].containerId)));
    await a.driver.stop();
    // Gossip gives the silent node up, and the other one hears of it.
    lab.bus.setAlive(a.identity.nodeId, false);
    await eventually(async () => {
      const { data } = await lookUp(b.kernel, netnsOf(tasks[1]!), 'tasks.web');
      assert.deepEqual(data, ['10.0.1.21']);
    });
    for (let i = 0; i < 10; i++) assert.match(await ask(lab.client, '', a.ip, 8080), /^task/);
    lab.bus.setAlive(a.identity.nodeId, true);
    a.driver = a.renew();
    await a.driver.start([state as SandboxState]);
    await a.driver.joinSwarm(a.identity);
    await a.driver.setNodeAttachments(attachmentsOf(a));
    await eventually(async () => {
      const { data } = await lookUp(a.kernel, netnsOf(tasks[0]!), 'tasks.web');
      assert.deepEqual([...data].sort(), ['10.0.1.20', '10.0.1.21']);
    });
    const { answered, failed } = await load.stop();
    assert.deepEqual(failed, []);
    assert.ok(answered > 20, `${answered} answers`);
    const view = a.driver.inspect(back.id);
    assert.deepEqual(Object.keys(view?.containers ?? {}).sort(), [
      ...[tasks[0].containerId, 'lb-back'],
    ]);
  });

  test('a task that drains loses no connection when it goes', async () => {
    const [a, b] = lab.hosts;
    assert.ok(a && b && tasks[0] && tasks[1]);
    const load = startLoad([
      () => ask(lab.client, '', a.ip, 8080),
      () => ask(lab.client, '', b.ip, 8080),
      () => ask(a.kernel, netnsOf(tasks[0]!), '10.0.1.2', 80),
    ]);
    await b.driver.disableService(tasks[1].containerId);
    await b.driver.removeSandbox(tasks[1].containerId);
    const { answered, failed } = await load.stop();
    assert.deepEqual(failed, []);
    assert.ok(answered > 20, `${answered} answers`);
  });

  test('a driver that takes over nothing clears everything', async () => {
    const [a] = lab.hosts;
    assert.ok(a && tasks[0]);
    await a.driver.removeSandbox(tasks[0].containerId);
    await a.driver.stop();
    a.driver = a.renew();
    await a.driver.start([]);
    await a.driver.joinSwarm(a.identity);
    await a.driver.leaveSwarm();
    assert.deepEqual(remains(a), { netns: [], links: [], nft: '' });
  });
});

/** Repeats each request, one after the other, and keeps what failed. */
function startLoad(requests: (() => Promise<string>)[]) {
  const failed: string[] = [];
  let answered = 0;
  let running = true;
  const loops = requests.map(async (request) => {
    while (running) {
      try {
        if ((await request()).startsWith('task')) answered += 1;
        else failed.push('an empty answer');
      } catch (error) {
        failed.push(String(error));
      }
    }
  });
  return {
    async stop() {
      running = false;
      await Promise.all(loops);
      return { answered, failed };
    },
  };
}
