import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, noLab } from './lab.ts';

/** What a user sees of joins that fail after the machine was admitted: nothing, and the reason. */
const skip = noLab;
const AWAY = '192.168.77.99';
let lab: Lab;

before(async () => {
  if (skip) return;
  lab = await Lab.up({ workers: 1, swarm: false });
  await lab.swarmctl('manager', 'init', '--advertise-addr', lab.address('manager'));
});
after(async () => {
  await lab?.down();
});

const tokenOf = (role: string) => lab.swarmctl('manager', 'join-token', '-q', role);

function join(token: string, addr = lab.address('worker-1')) {
  const remote = `${lab.address('manager')}:2377`;
  return lab.trySwarmctl('worker-1', 'join', '--token', token, '--advertise-addr', addr, remote);
}

async function listsOnlyTheManager(): Promise<void> {
  const names = await lab.swarmctl('manager', 'node', 'ls', '--format', '{{.Hostname}}');
  assert.equal(names, 'manager');
  const state = ['info', '--format', '{{.Swarm.LocalNodeState}}'];
  assert.equal(await lab.swarmctl('worker-1', ...state), 'inactive');
}

/** While another process of the host has `port`. */
async function whileTaken(port: number, work: () => Promise<void>): Promise<void> {
  const free = await lab.occupy('worker-1', port);
  try {
    await work();
  } finally {
    await free();
  }
}

test('a worker whose gossip port is taken is not listed', { skip }, async () => {
  const token = await tokenOf('worker');
  await whileTaken(7946, async () => {
    const { code, stderr } = await join(token);
    assert.equal(code, 1);
    assert.match(stderr, /7946/);
  });
  await listsOnlyTheManager();
});

test('nor is a manager whose port is taken, or that cannot be reached', { skip }, async () => {
  const token = await tokenOf('manager');
  await whileTaken(2377, async () => {
    assert.match((await join(token)).stderr, /2377: another process already listens there/);
  });
  await listsOnlyTheManager();
  assert.match((await join(token, AWAY)).stderr, /Nobody answered at 192\.168\.77\.99:2377/);
  await listsOnlyTheManager();
});

test('so that a root rotation waits for nobody, and the machine can join', { skip }, async () => {
  await lab.swarmctl('manager', 'ca', '--rotate', '--quiet');
  const { code, stderr } = await join(await tokenOf('manager'));
  assert.deepEqual([code, stderr], [0, '']);
  const names = await lab.swarmctl('manager', 'node', 'ls', '--format', '{{.Hostname}}');
  assert.deepEqual(names.split('\n').sort(), ['manager', 'worker-1']);
});
