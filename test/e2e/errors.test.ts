import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { converges, image, Lab, noLab } from './lab.ts';

/** What users get wrong: a clear error, and nothing half-made is left. */
const skip = noLab;
let lab: Lab;

before(async () => {
  if (!skip) lab = await Lab.up({ workers: 2, swarm: false });
});
after(async () => {
  await lab?.down();
});

async function refuses(host: string, message: RegExp, ...args: string[]): Promise<void> {
  const result = await lab.trySwarmctl(host, ...args);
  assert.notEqual(result.code, 0, `${args.join(' ')} succeeded:\n${result.stdout}`);
  assert.match(result.stderr, message);
}

const state = (host: string) => lab.swarmctl(host, 'info', '--format', '{{.Swarm.LocalNodeState}}');

/** Containers that belong to no task. */
const standalone = (host: string) => lab.swarmctl(host, 'ps', '-aq', '--filter', 'is-task=false');

test('outside a swarm: swarm commands say so, and what to do', { skip }, async () => {
  await refuses(
    'manager',
    /This node is not a swarm manager\. Use "docker swarm init"/,
    'node',
    'ls',
  );
  await refuses('manager', /This node is not part of a swarm/, 'leave');
});

test('init refuses an address that is not one', { skip }, async () => {
  await refuses('manager', /advertise address must be/, 'init', '--advertise-addr', 'eth9');
  assert.equal(await state('manager'), 'inactive');
});

test('init refuses a busy port, names it, and works once it is free', { skip }, async () => {
  const free = await lab.occupy('manager', 2377);
  await refuses('manager', /2377/, 'init', '--advertise-addr', '192.168.77.11');
  assert.equal(await state('manager'), 'inactive');
  await free();
  await lab.swarmctl('manager', 'init', '--advertise-addr', '192.168.77.11');
  assert.equal(await state('manager'), 'active');
});

test('an address that is only reached from elsewhere will do', { skip }, async () => {
  await lab.swarmctl('manager', 'leave', '--force');
  await lab.swarmctl('manager', 'init', '--advertise-addr', '192.168.77.99');
  assert.match(await lab.swarmctl('manager', 'node', 'ls'), /manager +Ready +Active +Leader/);
  await lab.swarmctl('manager', 'leave', '--force');
  await lab.swarmctl('manager', 'init', '--advertise-addr', '192.168.77.11');
});

test('who joins in vain can leave', { skip }, async () => {
  const token = await lab.swarmctl('manager', 'join-token', '-q', 'worker');
  await lab.verb('freeze', 'manager');
  try {
    const joining = lab.trySwarmctl('worker-1', 'join', '--token', token, '192.168.77.11:2377');
    await converges(async () => assert.equal(await state('worker-1'), 'pending'));
    await lab.swarmctl('worker-1', 'leave');
    assert.match((await joining).stderr, /this node was told to leave/);
    assert.equal(await state('worker-1'), 'inactive');
  } finally {
    await lab.verb('thaw', 'manager');
  }
});

test('where no manager answers, joining says so and what to look at', { skip }, async () => {
  const token = await lab.swarmctl('manager', 'join-token', '-q', 'worker');
  const message = /No connection to 192\.168\.77\.13:2377: connection refused\nIs it the address/;
  await refuses('worker-1', message, 'join', '--token', token, '192.168.77.13:2377');
});

test('a second init is refused', { skip }, async () => {
  await refuses('manager', /This node is already part of a swarm/, 'init');
});

test('join refuses a token that is none, of another cluster, or wrong', { skip }, async () => {
  const token = await lab.swarmctl('manager', 'join-token', '-q', 'worker');
  const wrongSecret = token.replace(/-[^-]+$/, '-0123456789abcdefghijklmno');
  const otherRoot = token.replace(/^(SWMTKN-1-)..../, (_all, start) => `${start}0000`);
  const remote = '192.168.77.11:2377';
  await refuses('worker-1', /invalid join token/, 'join', '--token', 'nonsense', remote);
  await refuses(
    'worker-1',
    /A valid join token is necessary/,
    'join',
    '--token',
    wrongSecret,
    remote,
  );
  await refuses(
    'worker-1',
    /remote CA does not match fingerprint/,
    'join',
    '--token',
    otherRoot,
    remote,
  );
  assert.equal(await state('worker-1'), 'inactive');
  await lab.swarmctl('worker-1', 'join', '--token', token, remote);
  assert.equal(await state('worker-1'), 'active');
});

test('the token decides the role', { skip }, async () => {
  const token = await lab.swarmctl('manager', 'join-token', '-q', 'manager');
  const output = await lab.swarmctl('worker-2', 'join', '--token', token, '192.168.77.11:2377');
  assert.match(output, /joined a swarm as a manager/);
  await lab.swarmctl('manager', 'node', 'demote', 'worker-2');
  await converges(async () => {
    const role = await lab.swarmctl('worker-2', 'info', '--format', '{{.Swarm.ControlAvailable}}');
    assert.equal(role, 'false');
  });
});

test('a worker refuses manager commands and says who can', { skip }, async () => {
  const message = /Worker nodes can't be used to view or modify cluster state/;
  await refuses('worker-1', message, 'node', 'ls');
  await refuses('worker-1', message, 'service', 'ls');
  await refuses(
    'worker-1',
    /Cannot create a multi-host network from a worker node/,
    'network',
    'create',
    '-d',
    'overlay',
    'x',
  );
});

test('networks: unknown, not attachable, overlapping, taken', { skip }, async () => {
  const run = ['run', '-d', '--network'];
  await refuses('manager', /network nope not found/, ...run, 'nope', image('busybox'), 'true');
  await lab.swarmctl(
    'manager',
    'network',
    'create',
    '-d',
    'overlay',
    '--subnet',
    '10.9.0.0/24',
    'n1',
  );
  await refuses('manager', /not manually attachable/, ...run, 'n1', image('busybox'), 'true');
  await refuses(
    'worker-1',
    /not manually attachable|not found/,
    ...run,
    'n1',
    image('busybox'),
    'true',
  );
  const create = ['network', 'create', '-d', 'overlay'];
  await refuses('manager', /overlap/i, ...create, '--subnet', '10.9.0.128/25', 'n2');
  await refuses('manager', /network with name n1 already exists/, ...create, 'n1');
  assert.equal(await standalone('manager'), '');
  assert.equal(await standalone('worker-1'), '');
  await lab.swarmctl('manager', 'network', 'rm', 'n1');
});

test('services: a busy port, an unknown network, a name taken', { skip }, async () => {
  const create = ['service', 'create', '--detach', '--name'];
  await lab.swarmctl('manager', ...create, 'a', '--publish', '8000:80', image('nginx'));
  await refuses(
    'manager',
    /port '8000' is already in use by service 'a'/,
    ...create,
    'b',
    '--publish',
    '8000:80',
    image('nginx'),
  );
  await refuses(
    'manager',
    /network nope not found/,
    ...create,
    'b',
    '--network',
    'nope',
    image('nginx'),
  );
  await refuses('manager', /service a already exists/, ...create, 'a', image('nginx'));
  const names = await lab.swarmctl('manager', 'service', 'ls', '--format', '{{.Name}}');
  assert.equal(names, 'a');
});

test('an image that does not exist: at once for run, on the task for a service', {
  skip,
}, async () => {
  await refuses('manager', /not found|manifest unknown/i, 'run', '-d', image('nope'));
  assert.equal(await standalone('manager'), '');
  await lab.swarmctl('manager', 'service', 'create', '--detach', '--name', 'ghost', image('nope'));
  await converges(async () => {
    const format = '{{.CurrentState}} {{.Error}}';
    const tasks = await lab.swarmctl(
      'manager',
      'service',
      'ps',
      '--no-trunc',
      '--format',
      format,
      'ghost',
    );
    assert.match(tasks, /Rejected .*(not found|manifest unknown|No such image)/i);
  });
});

test('commands that do not exist, or lack what they need, print how they are used', {
  skip,
}, async () => {
  await refuses('manager', /unknown command/, 'bogus');
  await refuses('manager', /requires|missing/i, 'service', 'create');
  await refuses('manager', /unknown (option|flag).*--bogus/, 'service', 'ls', '--bogus');
});
