import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { converges, image, Lab, lines, noLab } from './lab.ts';

/** Standalone containers on attachable networks, aliases, connect and disconnect. */
const skip = noLab;
let lab: Lab;

before(async () => {
  if (!skip) lab = await Lab.up();
});
after(async () => {
  await lab?.down();
});

async function hasNetwork(host: string, name: string): Promise<boolean> {
  const names = await lab.swarmctl(host, 'network', 'ls', '--format', '{{.Name}}');
  return lines(names).includes(name);
}

const ping = (host: string, container: string, target: string) =>
  lab.tryExec(host, 'swarmctl', 'exec', container, 'ping', '-c', '1', '-W', '2', target);

/** Nodes hear of each other's containers by gossip, each in its own time. */
async function reaches(host: string, container: string, target: string): Promise<void> {
  await converges(async () => {
    const { code, stdout, stderr } = await ping(host, container, target);
    assert.equal(code, 0, stdout + stderr);
  });
}

async function addressOn(host: string, network: string, container: string): Promise<string> {
  const [view] = JSON.parse(await lab.swarmctl(host, 'network', 'inspect', network));
  const all = Object.values(
    view.Containers as Record<string, { Name: string; IPv4Address: string }>,
  );
  return all.find((entry) => entry.Name === container)?.IPv4Address ?? '';
}

test('an attachable network appears on a worker with its first container only', {
  skip,
}, async () => {
  const args = ['network', 'create', '--driver=overlay', '--attachable', 'test-net'];
  await lab.swarmctl(lab.manager, ...args);
  assert.equal(await hasNetwork('worker-1', 'test-net'), false);
  const run = ['run', '-dit', '--network', 'test-net', '--name'];
  await lab.swarmctl('manager', ...run, 'alpine1', image('alpine'));
  assert.equal(await hasNetwork('worker-1', 'test-net'), false);
  await lab.swarmctl('worker-1', ...run, 'alpine2', image('alpine'));
  assert.equal(await hasNetwork('worker-1', 'test-net'), true);
});

test('they reach each other by name, and inspect shows their addresses', { skip }, async () => {
  await reaches('worker-1', 'alpine2', 'alpine1');
  await reaches('manager', 'alpine1', 'alpine2');
  assert.match(await addressOn('worker-1', 'test-net', 'alpine2'), /^10\.0\.\d+\.\d+\/24$/);
});

test('attach, and leave by the detach keys: the container goes on', { skip }, async () => {
  // script(1) gives the client a terminal.
  const attach = lab.talk('manager', 'script', '-qec', 'swarmctl attach alpine1', '/dev/null');
  // Who is asked for nothing gives another prompt. Before, the terminal is not yet the container's,
  // and would take the detach keys for its own.
  await converges(async () => {
    attach.send('\n');
    assert.match(attach.output, /# /);
  });
  attach.send("printf 'typed-%s\\n' here\n");
  await attach.says(/typed-here/);
  attach.send('\x10\x11'); // ctrl-p ctrl-q
  assert.equal(await attach.ended(), 0);
  const state = await lab.swarmctl('manager', 'inspect', '-f', '{{.State.Running}}', 'alpine1');
  assert.equal(state, 'true');
});

test('with the containers the network goes', { skip }, async () => {
  await lab.swarmctl('worker-1', 'stop', '-t', '1', 'alpine2');
  await lab.swarmctl('worker-1', 'rm', 'alpine2');
  await converges(async () => assert.equal(await hasNetwork('worker-1', 'test-net'), false));
  await lab.swarmctl('manager', 'rm', '-f', 'alpine1');
  await converges(() => lab.swarmctl('manager', 'network', 'rm', 'test-net'));
  assert.equal(await hasNetwork('manager', 'test-net'), false);
});

test('an alias answers for all its containers, on a subnet of choice', { skip }, async () => {
  const create = ['network', 'create', '-d', 'overlay', '--attachable', '--subnet', '10.77.0.0/24'];
  await lab.swarmctl('manager', ...create, 'app-net');
  const run = ['run', '-d', '--network', 'app-net', '--network-alias', 'search', '--name'];
  await lab.swarmctl('manager', ...run, 's1', image('busybox'), 'sleep', '3600');
  await lab.swarmctl('worker-1', ...run, 's2', image('busybox'), 'sleep', '3600');
  await lab.swarmctl(
    'worker-2',
    'run',
    '-d',
    '--network',
    'app-net',
    '--name',
    'c1',
    image('busybox'),
    'sleep',
    '3600',
  );
  const expected = [
    await addressOn('manager', 'app-net', 's1'),
    await addressOn('worker-1', 'app-net', 's2'),
  ].map((address) => address.replace(/\/24$/, ''));
  const orders = new Set<string>();
  await converges(async () => {
    const answer = await lab.swarmctl('worker-2', 'exec', 'c1', 'nslookup', 'search.');
    const found = [...answer.matchAll(/^Address(?: \d+)?:\s+(10\.77\.0\.\d+)/gm)].map((m) => m[1]);
    assert.deepEqual([...found].sort(), [...expected].sort(), answer);
    orders.add(found.join());
    assert.equal(orders.size, 2, 'both orders come up');
  });
});

test('disconnect and connect of a running container change whom it reaches', { skip }, async () => {
  await reaches('worker-2', 'c1', 's1');
  await lab.swarmctl('worker-2', 'network', 'disconnect', 'app-net', 'c1');
  assert.notEqual((await ping('worker-2', 'c1', 's1')).code, 0);
  assert.equal(await addressOn('manager', 'app-net', 'c1'), '');
  await lab.swarmctl('worker-2', 'network', 'connect', '--ip', '10.77.0.99', 'app-net', 'c1');
  await reaches('worker-2', 'c1', 's1');
  assert.equal(await addressOn('worker-2', 'app-net', 'c1'), '10.77.0.99/24');
  await reaches('manager', 's1', 'c1');
});

test('names do not resolve on the default bridge, and do on a bridge of one’s own', {
  skip,
}, async () => {
  const run = ['run', '-d', '--name'];
  for (const name of ['b1', 'b2']) {
    await lab.swarmctl('worker-1', ...run, name, image('busybox'), 'sleep', '3600');
  }
  assert.notEqual((await ping('worker-1', 'b1', 'b2')).code, 0);
  await lab.swarmctl('worker-1', 'network', 'create', 'own');
  await lab.swarmctl('worker-1', 'network', 'connect', 'own', 'b1');
  await lab.swarmctl('worker-1', 'network', 'connect', 'own', 'b2');
  await reaches('worker-1', 'b1', 'b2');
});
