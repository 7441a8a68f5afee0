import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { converges, image, Lab, lines, noLab } from './lab.ts';

/** Three managers: any of them may die. */
const skip = noLab;
let lab: Lab;

before(async () => {
  if (!skip) lab = await Lab.up({ managers: 3, workers: 0 });
});
after(async () => {
  await lab?.down();
});

test('three managers, one of them leads, and each takes commands', { skip }, async () => {
  await lab.reach(...lab.hosts);
  for (const host of lab.hosts) {
    await lab.swarmctl(host, 'network', 'create', '-d', 'overlay', `net-${host}`);
    assert.match(await lab.swarmctl(host, 'network', 'ls'), new RegExp(`net-${host}`));
  }
});

test('the leader is killed: another leads, nothing acknowledged is lost', { skip }, async () => {
  const leader = await lab.leader('manager-2');
  const [one, other] = lab.hosts.filter((host) => host !== leader) as [string, string];
  const create = ['service', 'create', '--detach', '--name', 'web', '--replicas', '2'];
  await lab.swarmctl(other, ...create, image('nginx'));
  await lab.verb('kill', leader);
  await converges(async () => assert.notEqual(await lab.leader(one), leader));
  const names = lines(await lab.swarmctl(one, 'service', 'ls', '--format', '{{.Name}}'));
  assert.deepEqual(names, ['web']);
  await lab.swarmctl(other, 'service', 'scale', '--detach', 'web=3');
  await lab.verb('restart', leader);
  await converges(async () => {
    const replicas = await lab.swarmctl(leader, 'service', 'ls', '--format', '{{.Replicas}}');
    assert.equal(replicas, '3/3');
  });
});

test('without a majority commands fail at once and say why', { skip }, async () => {
  const others = lab.hosts.filter((host) => host !== 'manager-1');
  for (const host of others) await lab.verb('freeze', host);
  await converges(async () => {
    const result = await lab.trySwarmctl('manager-1', 'node', 'ls');
    assert.match(result.stderr, /The swarm does not have a leader/);
  });
  for (const host of others) await lab.verb('thaw', host);
  await lab.reach(...lab.hosts);
});

test('a manager can be demoted and promoted again', { skip }, async () => {
  await lab.swarmctl('manager-1', 'node', 'demote', 'manager-3');
  await converges(async () => {
    const format = '{{.Swarm.ControlAvailable}}';
    assert.equal(await lab.swarmctl('manager-3', 'info', '--format', format), 'false');
  });
  await lab.swarmctl('manager-1', 'node', 'promote', 'manager-3');
  await lab.reach(...lab.hosts);
});
