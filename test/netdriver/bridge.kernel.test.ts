import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SwarmError } from '../../common/errors.ts';
import type { LocalNetwork, PortBinding } from '../../netdriver/types.ts';
import { eventually } from '../support/eventually.ts';
import { endpointConfig, sandboxConfig } from './support/builders.ts';
import { inside, Laboratory, noRoot, remains, type TestHost } from './support/hosts.ts';
import { ask, askUdp, greet, greetUdp, lookUp, SILENCE_MS, serveName } from './support/sockets.ts';

describe('local networks', { skip: noRoot }, () => {
  let lab: Laboratory;
  let host: TestHost;
  let bridge: LocalNetwork;
  let own: LocalNetwork;

  const netnsOf = (config: { containerId: string }) => config.containerId.slice(0, 12);
  const binding = (init: Partial<PortBinding>): PortBinding => ({
    protocol: 'tcp',
    containerPort: 80,
    hostPort: 0,
    hostIp: '',
    ...init,
  });
  const spec = {
    driver: 'bridge',
    subnets: [],
    internal: false,
    attachable: false,
    options: {},
    labels: {},
  } as const;

  before(async () => {
    lab = new Laboratory(1);
    await lab.start();
    host = lab.hosts[0]!;
    const predefined = host.driver.localNetworks();
    assert.deepEqual(
      predefined.map((network) => network.name),
      ['bridge', 'host', 'none'],
    );
    bridge = predefined[0]!;
  });
  after(() => lab.remove());

  test('a container on the default bridge publishes ports', async () => {
    assert.equal(bridge.subnets[0]?.subnet, '172.17.0.0/16');
    const config = sandboxConfig('db', {
      ports: [
        binding({ hostPort: 8080 }),
        binding({ containerPort: 90 }),
        binding({ containerPort: 53, hostPort: 5300, protocol: 'udp' }),
        binding({ containerPort: 91, hostPort: 9191, hostIp: host.ip }),
      ],
    });
    const { ports } = await host.driver.createSandbox(config);
    assert.equal(ports[0]?.hostPort, 8080);
    assert.ok((ports[1]?.hostPort ?? 0) > 0);
    const info = await host.driver.connect(config.containerId, endpointConfig('db', bridge));
    assert.deepEqual(info.addresses, ['172.17.0.2/16']);
    assert.equal(info.gateway, '172.17.0.1');
    assert.equal(info.macAddress, '02:42:ac:11:00:02');
    await greet(host.kernel, netnsOf(config), 80, 'db');
    await greet(host.kernel, netnsOf(config), 90, 'any');
    await greet(host.kernel, netnsOf(config), 91, 'bound');
    await greetUdp(host.kernel, netnsOf(config), 53, 'udp');
    assert.equal(await ask(lab.client, '', host.ip, 8080), `db ${lab.clientIp}`);
    assert.equal(
      await ask(lab.client, '', host.ip, ports[1]?.hostPort ?? 0),
      `any ${lab.clientIp}`,
    );
    assert.equal(await ask(lab.client, '', host.ip, 9191), `bound ${lab.clientIp}`);
    assert.match(await ask(host.kernel, '', '127.0.0.1', 8080), /^db /);
    await assert.rejects(ask(host.kernel, '', '127.0.0.1', 9191), /ECONNREFUSED/);
    const datagram = await askUdp(lab.client, '', host.ip, 5300);
    assert.equal(datagram.toString(), `udp ${lab.clientIp}`);
  });

  test('a container reaches its own published port', async () => {
    const config = sandboxConfig('db');
    assert.match(await ask(host.kernel, netnsOf(config), host.ip, 8080), /^db /);
  });

  test('a port that is taken names who has it', async () => {
    const again = sandboxConfig('db2', { ports: [binding({ hostPort: 8080 })] });
    await assert.rejects(
      host.driver.createSandbox(again),
      (error: unknown) =>
        error instanceof SwarmError &&
        /^Bind for 0\.0\.0\.0:8080 failed: port is already allocated by container db \(/.test(
          error.message,
        ),
    );
    const held = host.kernel.reservePort('', 'tcp', '', 8099);
    const other = sandboxConfig('db3', { ports: [binding({ hostPort: 8099 })] });
    await assert.rejects(host.driver.createSandbox(other), /allocated by node \(pid \d+\)$/);
    held.release();
    assert.equal(host.driver.sandbox(other.containerId), undefined);
  });

  test('names exist on user networks, and not on the default bridge', async () => {
    own = await host.driver.createLocalNetwork({ ...spec, name: 'own' });
    assert.equal(own.subnets[0]?.subnet, '172.18.0.0/16');
    const [a, b] = ['alpha', 'beta'].map((name) => sandboxConfig(name)) as [
      ReturnType<typeof sandboxConfig>,
      ReturnType<typeof sandboxConfig>,
    ];
    for (const config of [a, b]) {
      await host.driver.createSandbox(config);
      await host.driver.connect(config.containerId, {
        ...endpointConfig(config.containerName, own),
        aliases: ['pair'],
      });
    }
    const pair = await lookUp(host.kernel, netnsOf(a), 'pair');
    assert.deepEqual([...pair.data].sort(), ['172.18.0.2', '172.18.0.3']);
    const pointer = await lookUp(host.kernel, netnsOf(a), '3.0.18.172.in-addr.arpa', 'PTR');
    assert.deepEqual(pointer.data, ['beta.own']);
    assert.match(
      host.driver.sandbox(a.containerId)?.info.resolvConf ?? '',
      /^nameserver 127.0.0.11$/m,
    );
    const plain = host.driver.sandbox(sandboxConfig('db').containerId)?.info;
    assert.match(plain?.resolvConf ?? '', new RegExp(`^nameserver ${lab.clientIp}$`, 'm'));
    assert.match(plain?.hosts ?? '', /^172\.17\.0\.2\t/m);
  });

  test('what is not ours is asked of the host’s name server', async () => {
    const beta = sandboxConfig('beta');
    const server = await serveName(lab.client, '', 'example.test', '192.0.2.7');
    const known = await lookUp(host.kernel, netnsOf(beta), 'example.test');
    assert.deepEqual(known, { rcode: 'NOERROR', data: ['192.0.2.7'] });
    server.close();
  });

  test('bridges are apart from each other, except through published ports', async () => {
    const [db, alpha] = [sandboxConfig('db'), sandboxConfig('alpha')];
    await assert.rejects(
      ask(host.kernel, netnsOf(alpha), '172.17.0.2', 80, SILENCE_MS),
      /did not answer/,
    );
    assert.match(await ask(host.kernel, netnsOf(alpha), host.ip, 8080), /^db /);
    await host.driver.connect(db.containerId, endpointConfig('db', own));
    assert.match(await ask(host.kernel, netnsOf(alpha), '172.18.0.4', 80), /^db 172.18.0.2/);
    await host.driver.disconnect(db.containerId, own.id);
  });

  test('a firewall that drops what is forwarded is told to let containers pass', async () => {
    const rules = (command: string) => inside(host.kernel, '', 'iptables', ...command.split(' '));
    rules('-P FORWARD DROP');
    const roomy = await host.driver.createLocalNetwork({ ...spec, name: 'roomy' });
    const config = sandboxConfig('walled');
    await host.driver.createSandbox(config);
    await host.driver.connect(config.containerId, endpointConfig('walled', roomy));
    const server = await greet(lab.client, '', 8000, 'outside');
    assert.equal(await ask(host.kernel, netnsOf(config), lab.clientIp, 8000), `outside ${host.ip}`);
    server.close();
    assert.equal(
      rules('-S FORWARD')
        .split('\n')
        .filter((line) => line.includes('br-')).length,
      2,
    );
    await host.driver.removeSandbox(config.containerId);
    assert.ok(!rules('-S FORWARD').includes('br-'));
    await host.driver.removeLocalNetwork(roomy.id);
    rules('-P FORWARD ACCEPT');
    inside(host.kernel, '', 'nft', 'delete', 'table', 'ip', 'filter');
  });

  test('an internal network has no way out', async () => {
    const inner = await host.driver.createLocalNetwork({ ...spec, name: 'inner', internal: true });
    const config = sandboxConfig('inside');
    await host.driver.createSandbox(config);
    const info = await host.driver.connect(config.containerId, endpointConfig('inside', inner));
    assert.equal(info.gateway, '');
    assert.ok(!host.kernel.routes(netnsOf(config)).some((route) => route.to === '0.0.0.0/0'));
    await host.driver.removeSandbox(config.containerId);
    await host.driver.removeLocalNetwork(inner.id);
  });

  test('addresses and subnets that cannot be are refused', async () => {
    const create = (name: string, subnet: string) =>
      host.driver.createLocalNetwork({ ...spec, name, subnets: [{ subnet }] });
    await assert.rejects(create('bridge', '10.5.0.0/24'), /not permitted on predefined bridge/);
    await assert.rejects(create('own', '10.5.0.0/24'), /network with name own already exists/);
    await assert.rejects(create('x', '172.18.5.0/24'), /Pool overlaps/);
    await assert.rejects(create('x', '10.5.0.0/40'), /invalid subnet/);
    const config = sandboxConfig('picky');
    await host.driver.createSandbox(config);
    const connect = (address: string) =>
      host.driver.connect(config.containerId, endpointConfig('picky', own, address));
    await assert.rejects(connect('172.18.0.2'), /Address already in use/);
    await assert.rejects(connect('10.1.1.1'), /no configured subnet/);
    assert.deepEqual((await connect('172.18.9.9')).addresses, ['172.18.9.9/16']);
    await assert.rejects(connect(''), /already attached to network own/);
    await assert.rejects(host.driver.removeLocalNetwork(own.id), /has active endpoints \(name:"/);
    await assert.rejects(host.driver.removeLocalNetwork(bridge.id), /pre-defined network/);
  });

  test('a restarted driver takes over containers without a gap', async () => {
    const states = ['db', 'alpha', 'beta', 'picky'].map((name) => {
      const state = host.driver.sandbox(sandboxConfig(name).containerId);
      assert.ok(state);
      return JSON.parse(JSON.stringify(state)) as typeof state;
    });
    await host.driver.stop();
    host.driver = host.renew();
    let failures = 0;
    let done = false;
    const load = (async () => {
      while (!done) await ask(lab.client, '', host.ip, 8080).catch(() => failures++);
    })();
    await host.driver.start(states);
    done = true;
    await load;
    assert.equal(failures, 0);
    assert.match(await ask(lab.client, '', host.ip, 8080), /^db /);
    const { data } = await lookUp(host.kernel, netnsOf(sandboxConfig('alpha')), 'beta');
    assert.deepEqual(data, ['172.18.0.3']);
    const next = sandboxConfig('gamma');
    await host.driver.createSandbox(next);
    const info = await host.driver.connect(next.containerId, endpointConfig('gamma', own));
    assert.deepEqual(info.addresses, ['172.18.0.4/16']);
    await host.driver.removeSandbox(next.containerId);
  });

  test('a driver that starts without containers removes what is left', async () => {
    await host.driver.stop();
    host.driver = host.renew();
    await host.driver.start([]);
    await eventually(() => assert.deepEqual(remains(host), { netns: [], links: [], nft: '' }));
    assert.equal(host.driver.localNetworks().length, 4);
  });
});
