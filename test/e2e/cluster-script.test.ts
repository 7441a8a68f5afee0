import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { LAB_NAME, Lab, lines, noLab, script } from './lab.ts';

/** `cluster.sh` itself: the first five minutes, and that it leaves no trace. */
const skip = noLab;
let foreignRules = '';

before(async () => {
  if (skip) return;
  await script('down');
  foreignRules = machineRules();
});
after(async () => {
  if (!skip) await script('down');
});

/** Rules, links and routes of the machine's own network: the lab must not touch them. */
function machineRules(): string {
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { encoding: 'utf8' });
  return [
    run('nft', 'list', 'ruleset'),
    run('ip', '-o', 'link').replace(/state \w+|qlen \d+/g, ''),
    run('ip', 'route'),
  ].join('\n');
}

function processesOfTheLab(): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(`/${LAB_NAME}-lab/`) || line.includes(`${LAB_NAME}-lab-`));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // ended meanwhile
  }
}

function cgroupsOfTheLab(): string[] {
  const roots = [
    '/sys/fs/cgroup',
    ...readdirSync('/sys/fs/cgroup').map((d) => `/sys/fs/cgroup/${d}`),
  ];
  return roots.map((root) => `${root}/${LAB_NAME}-lab`).filter((group) => existsSync(group));
}

function assertNoTrace(): void {
  assert.deepEqual(processesOfTheLab(), []);
  const namespaces = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  assert.deepEqual(
    namespaces.filter((name) => name.startsWith(`${LAB_NAME}-lab`)),
    [],
  );
  assert.ok(!readFileSync('/proc/self/mounts', 'utf8').includes(`${LAB_NAME}-lab`));
  assert.deepEqual(cgroupsOfTheLab(), []);
  assert.equal(existsSync(`/var/tmp/${LAB_NAME}-lab`), false);
  assert.equal(machineRules(), foreignRules);
}

test('up makes a swarm of three hosts whose demo answers on each, seeing its client', {
  skip,
}, async () => {
  const { stdout, stderr, code } = await script('up');
  assert.equal(code, 0, stderr + stdout);
  for (const host of ['manager', 'worker-1', 'worker-2']) {
    assert.match(stdout, new RegExp(`^${host}: host=\\S+ client=192\\.168\\.77\\.1$`, 'm'));
  }
  const status = lines((await script('status')).stdout);
  assert.deepEqual(
    status.map((line) => line.split(/\s+/).slice(0, 2)),
    [
      ['manager', '192.168.77.11'],
      ['worker-1', '192.168.77.12'],
      ['worker-2', '192.168.77.13'],
    ],
  );
  assert.ok(
    status.every((line) => /swarm active$/.test(line)),
    status.join('\n'),
  );
});

test('up again, unknown hosts and unknown verbs are refused with what to do', {
  skip,
}, async () => {
  assert.match((await script('up')).stderr, /the lab is up already/);
  assert.match(
    (await script('exec', 'nobody', 'true')).stderr,
    /no host named 'nobody'; there are:/,
  );
  assert.match((await script('bogus')).stderr, /there is no verb 'bogus'/);
  assert.match((await script('exec', 'manager')).stderr, /exec what\?/);
});

test('a host can be added, and env points a client at it', { skip }, async () => {
  const added = await script('add', 'worker');
  assert.equal(added.code, 0, added.stderr);
  assert.match(added.stdout, /worker-3$/);
  const env = (await script('env', 'worker-3')).stdout;
  assert.match(env, /^export DOCKER_HOST=unix:\/\/\S+swarmd\.sock$/m);
});

test('down leaves nothing, whatever was killed before', { skip }, async () => {
  const pid = (host: string, file: string) =>
    Number(readFileSync(`/var/tmp/${LAB_NAME}-lab/hosts/${host}/${file}`, 'utf8'));
  await script('kill', 'worker-1');
  assert.match((await script('kill', 'worker-1')).stderr, /not running .*cluster\.sh restart/);
  await script('freeze', 'worker-2');
  process.kill(pid('worker-3', 'pid'), 'SIGKILL');
  process.kill(pid('manager', 'init'), 'SIGKILL');
  const { code, stderr } = await script('down');
  assert.equal(code, 0, stderr);
  assertNoTrace();
});

test('a bare lab comes and goes without a trace too', { skip }, async () => {
  const lab = await Lab.up({ workers: 0, swarm: false });
  await lab.down();
  assertNoTrace();
});
