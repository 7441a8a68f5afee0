import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { converges, Lab, lines, noLab } from './lab.ts';

/** A manager whose disk is full: real daemons on a real, small file system. */
const skip = noLab;
const STATE = '/var/lib/swarm';
const BALLAST = `${STATE}/ballast`;
const FULL = /This manager takes no part in Raft any more: .*No space left on device/;

/** Hosts in no swarm yet that have their state on file systems of 96 MiB. */
async function labOfSmallDisks(managers: number): Promise<Lab> {
  const lab = await Lab.up({ managers, workers: 0, swarm: false });
  for (const host of lab.hosts) {
    // Everything in the host but its first process ends, so that nothing holds the old directory open.
    await lab.tryExec(host, 'sh', '-c', 'kill -9 -1');
    await lab.exec(host, 'mount', '-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', STATE);
    await lab.verb('restart', host);
  }
  return lab;
}

async function fill(lab: Lab, host: string): Promise<void> {
  const dd = await lab.tryExec(host, 'dd', 'if=/dev/zero', `of=${BALLAST}`, 'bs=4k');
  assert.match(dd.stderr, /No space left on device/);
}

const makeRoom = (lab: Lab, host: string) => lab.exec(host, 'rm', BALLAST);

/** Writes until one is refused: those that were not, and why. */
async function writeUntilRefused(lab: Lab, host: string, prefix: string) {
  const acknowledged: string[] = [];
  for (let i = 0; ; i++) {
    const name = `${prefix}-${i}`;
    // Nearly as much as a page of the file system.
    const data = 'x'.repeat(4_000);
    const { code, stderr } = await lab.tryExecWith(
      data,
      host,
      'swarmctl',
      'config',
      'create',
      name,
      '-',
    );
    if (code !== 0) return { acknowledged, stderr };
    acknowledged.push(name);
  }
}

async function configs(lab: Lab, host: string): Promise<Set<string>> {
  return new Set(lines(await lab.swarmctl(host, 'config', 'ls', '--format', '{{.Name}}')));
}

function assertHolds(found: ReadonlySet<string>, wanted: readonly string[]): void {
  assert.deepEqual(
    wanted.filter((name) => !found.has(name)),
    [],
  );
}

async function statusOf(lab: Lab, from: string, host: string): Promise<string> {
  const format = '{{.Hostname}} {{.ManagerStatus}}';
  const rows = lines(await lab.swarmctl(from, 'node', 'ls', '--format', format));
  return rows.find((row) => row.startsWith(`${host} `))?.split(' ')[1] ?? '';
}

describe('three managers, and the disk of the leader is full', { skip }, () => {
  let lab: Lab;
  let acknowledged: readonly string[] = [];
  let [small, other] = ['', ''];
  after(async () => {
    await lab?.down();
  });

  test('another leads, nothing acknowledged is lost, the swarm goes on', async () => {
    lab = await labOfSmallDisks(3);
    await lab.makeSwarm();
    small = await lab.leader(lab.manager);
    const others = lab.hosts.filter((host) => host !== small);
    other = others[0] as string;
    // It must not ask for the unlock key when it goes on: it has been unlocked.
    await lab.swarmctl(small, 'swarm', 'update', '--autolock');
    await converges(async () => {
      assert.match(
        await lab.exec(small, 'cat', `${STATE}/swarm/raft/keys.json`),
        /"locked": ?true/,
      );
    });
    await fill(lab, small);
    ({ acknowledged } = await writeUntilRefused(lab, small, 'before'));
    await lab.writeConfig(other, 'on');
    for (const host of others) assertHolds(await configs(lab, host), [...acknowledged, 'on']);
  });

  test('it says so, and the others say that they miss it', async () => {
    await converges(async () => {
      assert.equal(await statusOf(lab, other, small), 'Unreachable');
      const { stderr } = await lab.trySwarmctl(other, 'info');
      assert.match(stderr, /1 of 3 managers cannot be reached/);
    });
    assert.match(await lab.swarmctl(small, 'info'), new RegExp(`Error: ${FULL.source}`));
    assert.match(await lab.verb('logs', small), /the raft log cannot be written/);
    const refused = await lab.trySwarmctl(small, 'config', 'create', 'refused', '/etc/hostname');
    assert.match(refused.stderr, FULL);
    assert.match(refused.stderr, /Look at the disk that holds \/var\/lib\/swarm/);
  });

  test('with room it goes on by itself', async () => {
    await makeRoom(lab, small);
    await converges(async () => assert.equal(await statusOf(lab, small, small), 'Reachable'));
    await lab.writeConfig(small, 'after');
    const all = [...acknowledged, 'on', 'after'];
    for (const host of lab.hosts) {
      const found = await configs(lab, host);
      assertHolds(found, all);
      assert.ok(!found.has('refused'));
    }
    assert.doesNotMatch(await lab.swarmctl(small, 'info'), /Error:/);
  });
});

describe('the only manager, and its disk is full', { skip }, () => {
  let lab: Lab;
  let acknowledged: readonly string[] = [];
  after(async () => {
    await lab?.down();
  });

  test('writes are refused with the reason, reads go on', async () => {
    lab = await labOfSmallDisks(1);
    await lab.makeSwarm();
    await fill(lab, lab.manager);
    const end = await writeUntilRefused(lab, lab.manager, 'before');
    acknowledged = end.acknowledged;
    assert.match(end.stderr, FULL);
    assert.match(end.stderr, /The change may or may not have been made/);
    const refused = await lab.trySwarmctl(lab.manager, 'config', 'create', 'x', '/etc/hostname');
    assert.match(refused.stderr, FULL);
    assertHolds(await configs(lab, lab.manager), acknowledged);
    assert.match(await lab.swarmctl(lab.manager, 'node', 'ls'), /manager/);
    assert.match(await lab.swarmctl(lab.manager, 'info'), new RegExp(`Error: ${FULL.source}`));
  });

  test('with room writes are taken again', async () => {
    await makeRoom(lab, lab.manager);
    await lab.writeConfig(lab.manager, 'after');
    assertHolds(await configs(lab, lab.manager), [...acknowledged, 'after']);
  });

  test('started while it is full, it says what it waits for, and goes on with room', async () => {
    await fill(lab, lab.manager);
    await lab.verb('kill', lab.manager);
    await lab.verb('restart', lab.manager);
    await converges(async () => {
      assert.match(await lab.swarmctl(lab.manager, 'info'), /No space left on device/);
    });
    await makeRoom(lab, lab.manager);
    await lab.writeConfig(lab.manager, 'again');
    assertHolds(await configs(lab, lab.manager), [...acknowledged, 'after', 'again']);
  });
});
