import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { converges, Lab, lines, noLab } from './lab.ts';

/** Managers that move, die, are replaced, and are too few. */
const skip = noLab;
const QUORUM_LOSS = /can't remove member from the raft: this would result in a loss of quorum/;
const NO_LEADER =
  /The swarm does not have a leader\. It's possible that too few managers are online\. Make sure more than half of the managers are online\./;
const NEW_ADDRESS = '192.168.77.90';
let lab: Lab;

before(async () => {
  if (!skip) lab = await Lab.up({ managers: 3, workers: 0 });
});
after(async () => {
  await lab?.down();
});

/** What `from` says of each node, e.g. `manager-1 Ready Leader`. */
async function nodes(from: string): Promise<string[]> {
  const format = '{{.Hostname}} {{.Status}} {{.ManagerStatus}}';
  return lines(await lab.swarmctl(from, 'node', 'ls', '--format', format));
}

const managerAddr = (from: string, node: string) =>
  lab.swarmctl(from, 'node', 'inspect', '--format', '{{.ManagerStatus.Addr}}', node);

let configs = 0;
const write = (host: string) => lab.writeConfig(host, `written-${++configs}`);

async function refused(message: RegExp, host: string, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await lab.trySwarmctl(host, ...args);
  assert.equal(code, 1, `${args.join(' ')}: ${stdout}`);
  assert.match(stderr, message);
}

test('a manager whose address changed keeps its membership', { skip }, async () => {
  const id = await lab.id('manager-1', 'node', 'manager-3');
  await lab.verb('kill', 'manager-3');
  const change = [
    `ip addr flush dev eth0 && ip addr add ${NEW_ADDRESS}/24 dev eth0`,
    'ip route add default via 192.168.77.1',
  ];
  await lab.exec('manager-3', 'sh', '-c', change.join(' && '));
  await lab.verb('restart', 'manager-3');
  await converges(async () => {
    assert.equal(await managerAddr('manager-1', 'manager-3'), `${NEW_ADDRESS}:2377`);
  });
  await lab.reach('manager-1', 'manager-2', 'manager-3');
  assert.equal(await lab.id('manager-3', 'node', 'manager-3'), id);
  assert.match(await lab.swarmctl('manager-3', 'info'), new RegExp(`Node Address: ${NEW_ADDRESS}`));
});

test('it has its vote there: with it, another one can be spared', { skip }, async () => {
  await lab.verb('kill', 'manager-1');
  await write('manager-3');
  await lab.verb('restart', 'manager-1');
  await lab.reach('manager-1', 'manager-2', 'manager-3');
});

test('a removal that would lose the quorum is refused with the reason', { skip }, async () => {
  await lab.verb('poweroff', 'manager-2');
  await converges(async () => {
    assert.ok((await nodes('manager-1')).includes('manager-2 Down Unreachable'));
  });
  await refused(QUORUM_LOSS, 'manager-1', 'node', 'demote', 'manager-3');
  await refused(QUORUM_LOSS, 'manager-3', 'node', 'demote', 'manager-1');
  await refused(/without a Raft quorum|lose the consensus/i, 'manager-3', 'swarm', 'leave');
  const demoteFirst = /It must be demoted to worker before removal/;
  await refused(demoteFirst, 'manager-1', 'node', 'rm', '--force', 'manager-2');
  await write('manager-3');
});

test('a dead manager is removed, and a new one takes its place', { skip }, async () => {
  await lab.swarmctl('manager-1', 'node', 'demote', 'manager-2');
  await converges(async () => {
    assert.ok((await nodes('manager-1')).includes('manager-2 Down '));
  });
  await lab.swarmctl('manager-1', 'node', 'rm', '--force', 'manager-2');
  await lab.verb('add', 'manager');
  await lab.reach('manager-1', 'manager-3', 'manager-4');
  await lab.verb('kill', 'manager-1');
  await write('manager-4');
  await lab.verb('restart', 'manager-1');
  await lab.reach('manager-1', 'manager-3', 'manager-4');
});

test('one that was removed stays out when it comes back, and is told', { skip }, async () => {
  await lab.verb('restart', 'manager-2');
  await converges(async () => {
    const info = await lab.swarmctl('manager-2', 'info');
    assert.match(info, /Is Manager: false/);
    assert.match(info, /Error: .*was removed from swarm/);
  });
  const notManager = /This node is not a swarm manager\.[\s\S]*was removed from swarm/;
  await refused(notManager, 'manager-2', 'node', 'ls');
  await lab.swarmctl('manager-2', 'leave', '--force');
  const state = ['info', '--format', '{{.Swarm.LocalNodeState}}'];
  assert.equal(await lab.swarmctl('manager-2', ...state), 'inactive');
  await lab.reach('manager-1', 'manager-3', 'manager-4');
});

test('without a leader commands fail at once, and say what to do', { skip }, async () => {
  await lab.verb('poweroff', 'manager-1');
  await lab.verb('poweroff', 'manager-4');
  await converges(() => refused(NO_LEADER, 'manager-3', 'node', 'ls'));
  const commands = [
    ['service', 'create', '--detach', '--name', 'web', 'nginx'],
    ['config', 'create', 'refused', '/etc/hostname'],
    ['node', 'update', '--availability', 'drain', 'manager-3'],
    ['service', 'ls'],
  ];
  for (const command of commands) await refused(NO_LEADER, 'manager-3', ...command);
  await converges(async () => {
    const { stdout, stderr } = await lab.trySwarmctl('manager-3', 'info');
    assert.match(stdout, /Is Manager: true/);
    assert.match(stderr, /Only 1 of 3 managers can be reached, and it takes 2 to change anything/);
    assert.match(stderr, /swarmctl swarm recover/);
  });
});

test('and when enough of them are back, it goes on', { skip }, async () => {
  await lab.verb('restart', 'manager-1');
  await write('manager-3');
  await lab.verb('restart', 'manager-4');
  await lab.reach('manager-1', 'manager-3', 'manager-4');
  const names = await lab.swarmctl('manager-4', 'config', 'ls', '--format', '{{.Name}}');
  assert.doesNotMatch(names, /refused/);
});
