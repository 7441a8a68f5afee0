import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { converges, image, Lab, lines, noLab } from './lab.ts';

/** The real docker CLI, pointed at our sockets with -H, does what it does with Docker. */
const skip = noLab ?? dockerMissing();
let lab: Lab;

before(async () => {
  if (!skip) lab = await Lab.up({ workers: 1, swarm: false });
});
after(async () => {
  await lab?.down();
});

function dockerMissing(): string | undefined {
  try {
    execFileSync('docker', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'no docker CLI on this machine';
  }
}

const docker = (host: string, ...args: string[]) => lab.exec(host, 'docker', ...args);

test('version and info', { skip }, async () => {
  const version = await docker('manager', 'version');
  assert.match(version, /Server/);
  assert.match(version, /API version:\s+1\.50/);
  assert.match(await docker('manager', 'info'), /Swarm: inactive/);
});

test('swarm init, join and node ls', { skip }, async () => {
  const output = await docker('manager', 'swarm', 'init', '--advertise-addr', '192.168.77.11');
  assert.match(output, /Swarm initialized: current node \(\w{25}\) is now a manager\./);
  const join = /docker (swarm join --token \S+ \S+)/.exec(output)?.[1] ?? '';
  assert.match(
    await docker('worker-1', ...join.split(' ')),
    /This node joined a swarm as a worker\./,
  );
  const nodes = lines(
    await docker('manager', 'node', 'ls', '--format', '{{.Hostname}} {{.Status}}'),
  );
  assert.deepEqual(nodes, ['manager Ready', 'worker-1 Ready']);
  const info = await docker('manager', 'info');
  assert.match(info, /Swarm: active/);
  assert.match(info, /Is Manager: true/);
  assert.match(info, /Default Address Pool: 10\.0\.0\.0\/8/);
  assert.match(await docker('manager', 'node', 'inspect', '--pretty', 'self'), /Leader:\s+Yes/);
});

test('network create, ls, inspect', { skip }, async () => {
  const id = await docker('manager', 'network', 'create', '-d', 'overlay', '--attachable', 'net');
  assert.match(id, /^\w{25}$/);
  assert.match(await docker('manager', 'network', 'ls'), /net\s+overlay\s+swarm/);
  const [network] = JSON.parse(await docker('manager', 'network', 'inspect', 'net'));
  assert.deepEqual(network.IPAM.Config, [{ Subnet: '10.0.1.0/24', Gateway: '10.0.1.1' }]);
});

test('service create converges with the CLI’s own progress', { skip }, async () => {
  const create = ['service', 'create', '--name', 'web', '--replicas', '2', '--publish', '8080:80'];
  const output = await docker('manager', ...create, '--network', 'net', image('whoami'));
  assert.match(output, /overall progress: 2 out of 2 tasks/);
  assert.match(output, /verify: Service \w{25} converged/);
  assert.match(await docker('manager', 'service', 'ls'), /web\s+replicated\s+2\/2/);
  assert.match(await docker('manager', 'service', 'ps', 'web'), /web\.1 .* Running/);
  assert.match(await docker('manager', 'service', 'inspect', '--pretty', 'web'), /Replicas:\s+2/);
  await converges(async () =>
    assert.match(await lab.http('worker-1', 8080), /client=192\.168\.77\.1/),
  );
});

test('service scale, update and logs', { skip }, async () => {
  assert.match(await docker('manager', 'service', 'scale', 'web=3'), /web scaled to 3/);
  const update = ['service', 'update', '--env-add', 'A=b', '--update-parallelism', '3'];
  assert.match(await docker('manager', ...update, 'web'), /converged/);
  await docker(
    'manager',
    'service',
    'create',
    '--name',
    'talker',
    '--replicas',
    '2',
    image('busybox'),
    'sh',
    '-c',
    'while true; do echo talking; sleep 1; done',
  );
  await converges(async () => {
    const logs = await docker('manager', 'service', 'logs', 'talker');
    assert.match(logs, /talker\.1\.\w+@\S+\s+\| talking/);
    assert.match(logs, /talker\.2\.\w+@\S+\s+\| talking/);
  });
});

test('service rm and network rm', { skip }, async () => {
  await docker('manager', 'service', 'rm', 'web', 'talker');
  await converges(() => docker('manager', 'network', 'rm', 'net'));
  assert.equal(await docker('manager', 'service', 'ls', '-q'), '');
});

test('run, ps, exec, logs, stop, rm, pull, images', { skip }, async () => {
  assert.match(await docker('worker-1', 'pull', image('alpine')), /Status: /);
  assert.match(await docker('worker-1', 'images'), /192\.168\.77\.1:5000\/alpine\s+latest/);
  const script = 'echo out; echo err >&2; sleep 3600';
  const id = await docker(
    'worker-1',
    'run',
    '-d',
    '--name',
    'c1',
    image('alpine'),
    'sh',
    '-c',
    script,
  );
  assert.match(id, /^[0-9a-f]{64}$/m);
  assert.match(await docker('worker-1', 'ps'), /c1$/m);
  await converges(async () => assert.match(await docker('worker-1', 'logs', 'c1'), /^out$/m));
  assert.equal(await docker('worker-1', 'exec', 'c1', 'echo', 'inside'), 'inside');
  const failed = await lab.tryExec('worker-1', 'docker', 'exec', 'c1', 'sh', '-c', 'exit 7');
  assert.equal(failed.code, 7);
  assert.equal(await docker('worker-1', 'run', '--rm', image('alpine'), 'echo', 'once'), 'once');
  const exit = await lab.tryExec(
    'worker-1',
    'docker',
    'run',
    '--rm',
    image('alpine'),
    'sh',
    '-c',
    'exit 3',
  );
  assert.equal(exit.code, 3);
  assert.equal(await docker('worker-1', 'stop', '-t', '1', 'c1'), 'c1');
  assert.match(await docker('worker-1', 'ps', '-a'), /Exited \(137\)/);
  assert.equal(await docker('worker-1', 'rm', 'c1'), 'c1');
});
