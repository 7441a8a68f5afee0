import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { converges, image, Lab, lines, noLab } from './lab.ts';

/** Daemons are killed; containers and objects are not. */
const skip = noLab;
let lab: Lab;

before(async () => {
  if (skip) return;
  // A daemon that starts on a busy machine is not to be taken for a host that is gone.
  lab = await Lab.up({ initFlags: ['--dispatcher-heartbeat', '1m'] });
  const create = ['service', 'create', '--name', 'web', '--replicas', '3', '--publish', '8080:80'];
  await lab.swarmctl(lab.manager, ...create, image('whoami'));
});
after(async () => {
  await lab?.down();
});

const containers = async (host: string) =>
  lines(await lab.swarmctl(host, 'ps', '-q', '--no-trunc', '--filter', 'name=web')).sort();

const pids = async (host: string) =>
  Promise.all(
    (await containers(host)).map((id) => lab.swarmctl(host, 'inspect', '-f', '{{.State.Pid}}', id)),
  );

async function tasks(): Promise<string[]> {
  const args = ['service', 'ps', 'web', '--no-trunc', '--filter', 'desired-state=running'];
  return lines(await lab.swarmctl(lab.manager, ...args, '--format', '{{.ID}}')).sort();
}

async function serves(host: string): Promise<void> {
  await converges(async () => assert.match(await lab.http(host, 8080), /host=/));
}

test('kill -9 of a worker’s daemon: its containers run on, serve, and are adopted', {
  skip,
}, async () => {
  const before = { containers: await containers('worker-1'), pids: await pids('worker-1') };
  assert.ok(before.containers.length > 0);
  const tasksBefore = await tasks();
  await lab.verb('kill', 'worker-1');
  for (const pid of before.pids) await lab.exec('worker-1', 'kill', '-0', pid);
  await serves('worker-1');
  await lab.verb('restart', 'worker-1');
  await converges(async () => {
    assert.deepEqual(await containers('worker-1'), before.containers);
    assert.deepEqual(await pids('worker-1'), before.pids);
    assert.deepEqual(await tasks(), tasksBefore);
  });
  await serves('worker-1');
});

test('an adopted container can be exec’d, logged and stopped', { skip }, async () => {
  const [id] = await containers('worker-1');
  assert.match(await lab.swarmctl('worker-1', 'exec', id as string, 'echo', 'hello'), /hello/);
  await lab.swarmctl('worker-1', 'logs', id as string);
  await lab.swarmctl('worker-1', 'kill', id as string);
  await converges(async () => {
    const now = await containers('worker-1');
    assert.ok(!now.includes(id as string));
    assert.equal((await tasks()).length, 3);
  });
});

test('kill -9 of the only manager: every object is there again', { skip }, async () => {
  // The nodes hear of it when they register with the manager that comes back.
  await lab.swarmctl('manager', 'swarm', 'update', '--dispatcher-heartbeat', '5s');
  await lab.swarmctl('manager', 'network', 'create', '-d', 'overlay', 'kept');
  await lab.swarmctl('manager', 'node', 'update', '--label-add', 'zone=a', 'worker-2');
  const version = await lab.swarmctl(
    'manager',
    'service',
    'inspect',
    '-f',
    '{{.Version.Index}}',
    'web',
  );
  await lab.verb('kill', 'manager');
  await lab.verb('restart', 'manager');
  await converges(async () => {
    const states = await lab.swarmctl('manager', 'node', 'ls', '--format', '{{.Status}}');
    assert.deepEqual(lines(states), ['Ready', 'Ready', 'Ready']);
  });
  assert.match(await lab.swarmctl('manager', 'network', 'ls'), /kept/);
  const label = ['node', 'inspect', '-f', '{{.Spec.Labels.zone}}', 'worker-2'];
  assert.equal(await lab.swarmctl('manager', ...label), 'a');
  const again = await lab.swarmctl(
    'manager',
    'service',
    'inspect',
    '-f',
    '{{.Version.Index}}',
    'web',
  );
  assert.ok(Number(again) >= Number(version));
  await lab.swarmctl('manager', 'service', 'scale', 'web=4');
  await converges(async () => assert.equal((await tasks()).length, 4));
});

test('a host that loses power: its tasks come up elsewhere', { skip }, async () => {
  await lab.verb('poweroff', 'worker-2');
  await converges(async () => {
    const args = ['service', 'ps', 'web', '--filter', 'desired-state=running'];
    const rows = lines(
      await lab.swarmctl('manager', ...args, '--format', '{{.Node}} {{.CurrentState}}'),
    );
    assert.equal(rows.filter((row) => / Running /.test(row)).length, 4);
    assert.ok(!rows.some((row) => row.startsWith('worker-2 ')));
  });
  const status = ['node', 'ls', '--format', '{{.Hostname}} {{.Status}}'];
  assert.match(await lab.swarmctl('manager', ...status), /worker-2 Down/);
  await serves('worker-1');
  await lab.verb('restart', 'worker-2');
  await converges(async () => {
    assert.match(await lab.swarmctl('manager', ...status), /worker-2 Ready/);
  });
  await serves('worker-2');
});

test('drain moves tasks away, and a drained node still answers', { skip }, async () => {
  await lab.swarmctl('manager', 'node', 'update', '--availability', 'drain', 'worker-1');
  await converges(async () => assert.deepEqual(await containers('worker-1'), []));
  await serves('worker-1');
  await lab.swarmctl('manager', 'node', 'update', '--availability', 'active', 'worker-1');
});
