import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { converges, image, Lab, lines, noLab } from './lab.ts';

/** Default and own overlay networks, and what they look like inside. The steps build on each other. */
const skip = noLab;
let lab: Lab;

before(async () => {
  if (!skip) lab = await Lab.up();
});
after(async () => {
  await lab?.down();
});

async function networkNames(host: string): Promise<string[]> {
  return lines(await lab.swarmctl(host, 'network', 'ls', '--format', '{{.Name}}'));
}

async function running(service: string): Promise<string[]> {
  const args = ['service', 'ps', service, '--filter', 'desired-state=running'];
  const rows = lines(
    await lab.swarmctl(lab.manager, ...args, '--format', '{{.Node}} {{.CurrentState}}'),
  );
  return rows.filter((row) => / Running /.test(row)).map((row) => row.split(' ')[0] as string);
}

test('three nodes are ready, and can be listed by role', { skip }, async () => {
  const list = (...args: string[]) =>
    lab.swarmctl(lab.manager, 'node', 'ls', '--format', '{{.Hostname}}', ...args);
  assert.deepEqual(lines(await list()), ['manager', 'worker-1', 'worker-2']);
  assert.deepEqual(lines(await list('--filter', 'role=manager')), ['manager']);
  assert.deepEqual(lines(await list('--filter', 'role=worker')), ['worker-1', 'worker-2']);
  const table = lines(await lab.swarmctl(lab.manager, 'node', 'ls'));
  assert.match(
    table[0] ?? '',
    /^ID\s+HOSTNAME\s+STATUS\s+AVAILABILITY\s+MANAGER STATUS\s+ENGINE VERSION$/,
  );
  assert.match(table[1] ?? '', /^\w{25} \*\s+manager\s+Ready\s+Active\s+Leader/);
});

test('the ingress network is on each node from the start', { skip }, async () => {
  for (const host of lab.hosts) {
    await converges(async () => {
      assert.ok((await networkNames(host)).includes('ingress'), host);
      assert.ok((await lab.namespaces(host)).includes('ingress_sbox'), host);
    });
  }
});

test('an own overlay is on the manager list and not on a worker until a task lands there', {
  skip,
}, async () => {
  await lab.swarmctl(lab.manager, 'network', 'create', '-d', 'overlay', 'nginx-net');
  assert.ok((await networkNames('manager')).includes('nginx-net'));
  assert.ok(!(await networkNames('worker-1')).includes('nginx-net'));
  const missing = await lab.trySwarmctl('worker-1', 'network', 'inspect', 'nginx-net');
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /network nginx-net not found/);
});

test('a service with five replicas spreads over the nodes', { skip }, async () => {
  const output = await lab.swarmctl(
    lab.manager,
    'service',
    'create',
    '--name',
    'my-nginx',
    '--publish',
    'target=80,published=80',
    '--replicas=5',
    '--network',
    'nginx-net',
    image('nginx'),
  );
  assert.match(output, /^\w{25}$/m);
  assert.match(output, /converged/);
  const hosts = await running('my-nginx');
  assert.equal(hosts.length, 5);
  assert.deepEqual([...new Set(hosts)].sort(), ['manager', 'worker-1', 'worker-2']);
  assert.ok((await networkNames('worker-1')).includes('nginx-net'));
});

test('every host answers on the published port, also from inside the host', { skip }, async () => {
  for (const host of lab.hosts) {
    await converges(async () => assert.match(await lab.http(host, 80), /Welcome/));
    const inside = ['curl', '-sS', '--max-time', '3', 'http://127.0.0.1:80/'];
    await converges(async () => assert.match(await lab.exec(host, ...inside), /Welcome/));
  }
});

test('a host without a task answers too, and the task sees the address of the client', {
  skip,
}, async () => {
  await lab.swarmctl(
    lab.manager,
    'service',
    'create',
    '--name',
    'who',
    '--publish',
    '8080:80',
    '--constraint',
    'node.hostname==worker-1',
    image('whoami'),
  );
  for (const host of lab.hosts) {
    await converges(async () =>
      assert.match(await lab.http(host, 8080), /client=192\.168\.77\.1$/m),
    );
  }
  await lab.swarmctl(lab.manager, 'service', 'rm', 'who');
});

test('network inspect shows the containers of the node and the peers', { skip }, async () => {
  const inspect = async () => {
    return JSON.parse(await lab.swarmctl('worker-1', 'network', 'inspect', 'nginx-net'))[0];
  };
  const network = await inspect();
  const names = Object.values(network.Containers as Record<string, { Name: string }>)
    .map((container) => container.Name)
    .sort();
  assert.ok(names.includes('nginx-net-endpoint'), names.join());
  assert.ok(
    names.some((name) => /^my-nginx\.\d\.\w{25}$/.test(name)),
    names.join(),
  );
  assert.equal(network.Scope, 'swarm');
  // Heard of by gossip.
  await converges(async () => {
    const peers = ((await inspect()).Peers as { IP: string }[]).map((peer) => peer.IP).sort();
    assert.deepEqual(peers, ['192.168.77.11', '192.168.77.12', '192.168.77.13']);
  });
});

test('inside: namespaces, bridge, VXLAN, veth pairs, neighbours', { skip }, async () => {
  const overlay = async (name: string) =>
    `1-${(await lab.networkId('manager', name)).slice(0, 10)}`;
  const vni = async (name: string) =>
    /vxlan id (\d+)/.exec(
      await lab.inNamespace('worker-1', await overlay(name), 'ip', '-d', 'link', 'show', 'vxlan0'),
    )?.[1];
  const namespaces = await lab.namespaces('worker-1');
  assert.ok(namespaces.includes(await overlay('ingress')));
  assert.ok(namespaces.includes(await overlay('nginx-net')));
  assert.ok(namespaces.includes('ingress_sbox'));
  assert.deepEqual([await vni('ingress'), await vni('nginx-net')], ['4096', '4097']);
  const inside = await overlay('nginx-net');
  assert.match(
    await lab.inNamespace('worker-1', inside, 'ip', 'addr', 'show', 'br0'),
    /10\.0\.1\.1\/24/,
  );
  const veths = await lab.inNamespace(
    'worker-1',
    inside,
    'ip',
    '-o',
    'link',
    'show',
    'type',
    'veth',
  );
  assert.match(veths, /veth0@.* master br0 /);
  assert.match(veths, /mtu 1450/);
  // Of the tasks on the other nodes, which are heard of by gossip.
  const show = (...command: string[]) => lab.inNamespace('worker-1', inside, ...command);
  await converges(async () => {
    const neighbours = await show('ip', 'neigh', 'show', 'dev', 'vxlan0');
    assert.match(neighbours, /^10\.0\.1\.\d+ lladdr 02:42:0a:00:01:\w\w PERMANENT$/m);
    const fdb = await show('bridge', 'fdb', 'show', 'dev', 'vxlan0');
    assert.match(fdb, /02:42:0a:00:01:\w\w dst 192\.168\.77\.1[13] .*permanent/);
  });
  assert.match(
    await lab.exec('worker-1', 'ip', 'link', 'show', 'swarm_gwbridge'),
    /swarm_gwbridge/,
  );
});

test('a task has interfaces on ingress, on its network and on the gateway bridge', {
  skip,
}, async () => {
  const [id] = lines(await lab.swarmctl('worker-1', 'ps', '-q', '--filter', 'name=my-nginx'));
  const addresses = await lab.swarmctl('worker-1', 'exec', id as string, 'ip', 'addr');
  assert.match(addresses, /inet 10\.0\.0\.\d+\/24/);
  assert.match(addresses, /inet 10\.0\.1\.\d+\/24/);
  assert.match(addresses, /inet 172\.\d+\.\d+\.\d+\/16/);
  const routes = await lab.swarmctl('worker-1', 'exec', id as string, 'ip', 'route');
  assert.match(routes, /^default via 172\./m);
});

test('service update moves all tasks to another network', { skip }, async () => {
  await lab.swarmctl(lab.manager, 'network', 'create', '-d', 'overlay', 'nginx-net-2');
  const args = ['--network-add', 'nginx-net-2', '--network-rm', 'nginx-net'];
  const options = ['--update-parallelism', '0', '--update-monitor', '1s'];
  await lab.swarmctl(lab.manager, 'service', 'update', ...args, ...options, 'my-nginx');
  await converges(async () => assert.equal((await running('my-nginx')).length, 5));
  for (const host of lab.hosts) {
    await converges(async () => {
      assert.ok((await networkNames(host)).includes('nginx-net-2'), host);
      if (host !== lab.manager) assert.ok(!(await networkNames(host)).includes('nginx-net'), host);
    });
  }
  await converges(async () => {
    const [old] = JSON.parse(await lab.swarmctl(lab.manager, 'network', 'inspect', 'nginx-net'));
    assert.deepEqual(Object.keys(old.Containers ?? {}), []);
  });
  await converges(async () => assert.match(await lab.http('worker-2', 80), /Welcome/));
});

test('service rm and network rm clean up, on the workers too', { skip }, async () => {
  await lab.swarmctl(lab.manager, 'service', 'rm', 'my-nginx');
  await converges(async () => {
    for (const host of lab.hosts) {
      assert.equal(await lab.swarmctl(host, 'ps', '-aq', '--filter', 'name=my-nginx'), '', host);
    }
  });
  await converges(() => lab.swarmctl(lab.manager, 'network', 'rm', 'nginx-net', 'nginx-net-2'));
  for (const host of lab.hosts) {
    await converges(async () => {
      assert.ok(!(await networkNames(host)).some((name) => name.startsWith('nginx-net')), host);
      const own = (await lab.namespaces(host)).filter((name) => /^(1-|lb_)/.test(name));
      assert.equal(own.length, 1, `${host} has ${own.join()}`);
    });
  }
});
