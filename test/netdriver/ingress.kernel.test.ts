import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { NetDriver } from '../../netdriver/net-driver.ts';
import type { SandboxConfig } from '../../netdriver/types.ts';
import { GossipPort } from '../../proto/gen/swarm/gossip.ts';
import { eventually } from '../support/eventually.ts';
import { attachment, endpointConfig, ingressNetwork, sandboxConfig } from './support/builders.ts';
import { Laboratory, noRoot, remains } from './support/hosts.ts';
import {
  ask,
  askUdp,
  greet,
  greetUdp,
  IMPATIENCE_MS,
  pour,
  SILENCE_MS,
  swallow,
} from './support/sockets.ts';

const UDP = 1;

describe('the routing mesh', { skip: noRoot }, () => {
  const task = sandboxConfig('web.1.task');
  const netns = task.containerId.slice(0, 12);
  const port = (init: Partial<GossipPort>) => GossipPort.fromPartial(init);
  const service = (ports: GossipPort[]) => ({ id: 'svcweb', name: 'web', ingressPorts: ports });
  let lab: Laboratory;

  before(async () => {
    lab = new Laboratory(3);
    await lab.start();
    for (const { driver, index } of lab.hosts) {
      await driver.setNodeAttachments([attachment(ingressNetwork, `10.0.0.${index + 1}/24`)]);
    }
  });
  after(() => lab.remove());

  async function run(driver: NetDriver, config: SandboxConfig, ip: string, ports: GossipPort[]) {
    await driver.createSandbox(config);
    const endpoint = endpointConfig(config.containerName, ingressNetwork, ip, service(ports));
    await driver.connect(config.containerId, endpoint);
    await driver.enableService(config.containerId);
  }

  test('every node answers, and the task sees the client', async () => {
    const [first] = lab.hosts;
    assert.ok(first);
    await run(first.driver, task, '10.0.0.10/24', [
      port({ publishedPort: 8080, targetPort: 80 }),
      port({ publishedPort: 9090, targetPort: 90, snat: true }),
      port({ publishedPort: 5300, targetPort: 53, protocol: UDP }),
      port({ publishedPort: 7070, targetPort: 7070 }),
      port({ publishedPort: 6060, targetPort: 60 }),
    ]);
    await greet(first.kernel, netns, 80, 'task');
    await greet(first.kernel, netns, 90, 'hidden');
    await greet(first.kernel, netns, 7070, 'same');
    await greetUdp(first.kernel, netns, 53, 'datagram');
    for (const host of lab.hosts) {
      await eventually(async () => {
        assert.equal(await ask(lab.client, '', host.ip, 8080), `task ${lab.clientIp}`);
      });
      assert.equal(await ask(lab.client, '', host.ip, 7070), `same ${lab.clientIp}`);
      const datagram = await askUdp(lab.client, '', host.ip, 5300);
      assert.equal(datagram.toString(), `datagram ${lab.clientIp}`);
    }
  });

  test('large transfers fit through the smaller packets of the overlay', async () => {
    const [first] = lab.hosts;
    assert.ok(first);
    const size = 1_000_000;
    await swallow(first.kernel, netns, 60, size);
    for (const host of lab.hosts) {
      for (const client of [lab.client, host.kernel]) {
        const text = await pour(client, '', host.ip, 6060, size);
        assert.equal(text.length, size);
        assert.ok(text.startsWith(`${size} `), text.slice(0, 20));
      }
    }
  });

  test('a port may hide its clients behind the node', async () => {
    for (const host of lab.hosts) {
      const answer = await ask(lab.client, '', host.ip, 9090);
      assert.equal(answer, `hidden 10.0.0.${host.index + 1}`);
    }
  });

  test('a node reaches published ports of itself and of others', async () => {
    for (const host of lab.hosts) {
      for (const address of ['127.0.0.1', host.ip, lab.hosts[0]?.ip ?? '']) {
        assert.match(await ask(host.kernel, '', address, 8080), /^task /);
      }
    }
  });

  test('a container reaches a published port of its own host', async () => {
    assert.match(await ask(lab.hosts[0]!.kernel, netns, lab.hosts[0]!.ip, 8080), /^task /);
    assert.match(await ask(lab.hosts[0]!.kernel, netns, lab.hosts[1]!.ip, 8080), /^task /);
  });

  test('on the ingress network nothing but published ports is open', async () => {
    const [first, second] = lab.hosts;
    assert.ok(first && second);
    await greet(first.kernel, netns, 6666, 'secret');
    await assert.rejects(
      ask(second.kernel, 'ingress_sbox', '10.0.0.10', 6666, SILENCE_MS),
      /did not answer/,
    );
    await assert.rejects(
      ask(second.kernel, 'ingress_sbox', '10.0.0.10', 80, SILENCE_MS),
      /did not answer/,
    );
  });

  test('connections are spread over the tasks of a service', async () => {
    const [, second] = lab.hosts;
    assert.ok(second);
    const other = sandboxConfig('web.2.task');
    await run(second.driver, other, '10.0.0.11/24', [
      port({ publishedPort: 8080, targetPort: 80 }),
    ]);
    await greet(second.kernel, other.containerId.slice(0, 12), 80, 'other');
    await eventually(async () => {
      const names = new Set<string>();
      for (let i = 0; i < 6; i++) {
        const answer = await ask(lab.client, '', lab.hosts[2]?.ip ?? '', 8080);
        names.add(answer);
      }
      assert.deepEqual([...names].sort(), [`other ${lab.clientIp}`, `task ${lab.clientIp}`]);
    });
    await second.driver.disableService(other.containerId);
    for (let i = 0; i < 4; i++) {
      assert.equal(await ask(lab.client, '', second.ip, 8080), `task ${lab.clientIp}`);
    }
    await second.driver.removeSandbox(other.containerId);
  });

  test('rows of a dead node leave the mesh and come back', async () => {
    const [first, second] = lab.hosts;
    assert.ok(first && second);
    lab.bus.setAlive(first.identity.nodeId, false);
    await eventually(async () => {
      const answer = ask(lab.client, '', second.ip, 8080, IMPATIENCE_MS);
      await assert.rejects(answer, /ECONNREFUSED/);
    });
    lab.bus.setAlive(first.identity.nodeId, true);
    await eventually(async () => {
      const answer = await ask(lab.client, '', second.ip, 8080, IMPATIENCE_MS);
      assert.equal(answer, `task ${lab.clientIp}`);
    });
  });

  test('a published port is held, and free again afterwards', async () => {
    const [, second] = lab.hosts;
    assert.ok(second);
    assert.throws(() => second.kernel.reservePort('', 'tcp', '', 8080), /EADDRINUSE/);
    await lab.hosts[0]?.driver.removeSandbox(task.containerId);
    await eventually(() => second.kernel.reservePort('', 'tcp', '', 8080).release());
  });

  test('leaving removes everything', async () => {
    for (const host of lab.hosts) {
      await host.driver.leaveSwarm();
      assert.deepEqual(remains(host), { netns: [], links: [], nft: '' });
    }
  });
});
