import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemRandom } from '../../common/random.ts';
import { KeyFile } from '../../manager/ca/key-file.ts';
import { parseUnlockKey } from '../../manager/ca/unlock-key.ts';
import { type CommandResult, converges, image, Lab, noLab } from './lab.ts';

const LOCKED =
  'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.';
const BACKUP = '/var/lib/swarm/backup.tar';
const DATA_DIR = '/var/lib/swarm/swarm';

const skip = noLab;
let lab: Lab;
let key = '';

before(async () => {
  if (!skip) lab = await Lab.up({ managers: 3, workers: 1 });
});
after(async () => {
  await lab?.down();
});

test('autolock is turned on for all, and the secrets on disk with it', { skip }, async () => {
  const create = ['service', 'create', '--name', 'web', '--replicas', '4'];
  await lab.swarmctl('manager-1', ...create, image('whoami'));
  const text = await lab.swarmctl('manager-1', 'swarm', 'update', '--autolock');
  key = /SWMKEY-1-\S+/.exec(text)![0];
  assert.equal(await lab.swarmctl('manager-3', 'swarm', 'unlock-key', '-q'), key);
  for (const host of ['manager-1', 'manager-2', 'manager-3']) {
    await converges(async () => {
      const file = await lab.exec(host, 'cat', `${DATA_DIR}/raft/keys.json`);
      assert.equal(JSON.parse(file).locked, true);
      const tls = await lab.exec(host, 'cat', `${DATA_DIR}/certificates/swarm-node.key`);
      assert.match(tls, /BEGIN ENCRYPTED PRIVATE KEY/);
    });
  }
});

test('a killed manager comes back locked, and its containers run on', { skip }, async () => {
  const running = await containers('manager-2');
  assert.equal(running.length, 1);
  await lab.verb('kill', 'manager-2');
  await lab.verb('restart', 'manager-2');
  await converges(async () => assert.match(await infoOf('manager-2'), /Swarm: locked/));
  for (const command of [
    ['node', 'ls'],
    ['service', 'ls'],
    ['swarm', 'unlock-key'],
  ]) {
    const refused = await lab.docker('manager-2', command);
    assert.deepEqual([refused.code, refused.stderr.includes(LOCKED)], [1, true], command.join());
  }
  const leaving = await lab.docker('manager-2', ['swarm', 'leave']);
  assert.match(leaving.stderr, /Swarm is encrypted and locked/);
  assert.deepEqual(await containers('manager-2'), running);
});

test('the right key unlocks it, and no other', { skip }, async () => {
  const wrong = await lab.docker('manager-2', ['swarm', 'unlock'], `SWMKEY-1-${'A'.repeat(43)}\n`);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /swarm could not be unlocked: invalid key provided/);
  const right = await lab.docker('manager-2', ['swarm', 'unlock'], `${key}\n`);
  assert.deepEqual([right.code, right.stderr], [0, '']);
  await converges(async () =>
    assert.match(await lab.swarmctl('manager-2', 'node', 'ls'), readyManager('manager-2')),
  );
  const again = await lab.docker('manager-2', ['swarm', 'unlock'], `${key}\n`);
  assert.match(again.stderr, /swarm is not locked/);
});

test('a new key takes the place of the old one', { skip }, async () => {
  const old = key;
  key = await lab.swarmctl('manager-2', 'swarm', 'unlock-key', '--rotate', '-q');
  assert.notEqual(key, old);
  await lockedWith('manager-3', key);
  await lab.verb('kill', 'manager-3');
  await lab.verb('restart', 'manager-3');
  const refused = await unlock('manager-3', old);
  assert.match(refused.stderr, /invalid key provided/);
  assert.equal((await unlock('manager-3', key)).code, 0);
  await converges(() => lab.swarmctl('manager-3', 'node', 'ls'));
});

test('a manager that was away meanwhile asks for the key from before', { skip }, async () => {
  const old = key;
  await lab.verb('kill', 'manager-3');
  await converges(async () =>
    assert.match(await lab.swarmctl('manager-1', 'node', 'ls'), /manager-3 .*Unreachable/),
  );
  const rotate = ['swarm', 'unlock-key', '--rotate', '-q'];
  const rotated = await lab.trySwarmctl('manager-1', ...rotate);
  assert.match(rotated.stderr, /keep the old key: .* need it once more: manager-3/);
  key = rotated.stdout;
  await lab.verb('restart', 'manager-3');
  const refused = await unlock('manager-3', key);
  assert.match(
    refused.stderr,
    /invalid key provided\nA manager that was away .* needs the old key once more/,
  );
  assert.equal((await unlock('manager-3', old)).code, 0);
  await converges(async () =>
    assert.equal(await lab.swarmctl('manager-3', 'swarm', 'unlock-key', '-q'), key),
  );
  await lockedWith('manager-3', key);
});

test('one that is demoted while it is off is a worker, and can be a manager again', {
  skip,
}, async () => {
  await lab.verb('kill', 'manager-3');
  await lab.swarmctl('manager-1', 'node', 'demote', 'manager-3');
  const old = key;
  key = await lab.swarmctl('manager-1', 'swarm', 'unlock-key', '--rotate', '-q');
  await lab.verb('restart', 'manager-3');
  assert.equal((await unlock('manager-3', old)).code, 0);
  await converges(async () => {
    const info = await infoOf('manager-3');
    assert.match(info, /Swarm: active/);
    assert.match(info, /Is Manager: false/);
    assert.doesNotMatch(info, /Error:/);
    // Until it is a worker by its certificate, it is a manager that the others do not let in.
    const [subject, files] = await Promise.all([subjectOf('manager-3'), filesOf('manager-3')]);
    assert.match(subject, /swarm-worker/);
    assert.doesNotMatch(files, /^raft$/m);
  });
  // Nothing of it is locked any more.
  await lab.verb('kill', 'manager-3');
  await lab.verb('restart', 'manager-3');
  await converges(async () => assert.match(await infoOf('manager-3'), /Swarm: active/));
  await lab.swarmctl('manager-1', 'node', 'promote', 'manager-3');
  await converges(async () =>
    assert.match(await lab.swarmctl('manager-3', 'node', 'ls'), readyManager('manager-3')),
  );
});

test('a manager that cannot start yet says why, and starts when it can', { skip }, async () => {
  const free = await lab.occupy('worker-1', 2377);
  await lab.swarmctl('manager-1', 'node', 'promote', 'worker-1');
  await converges(async () => assert.match(await infoOf('worker-1'), /Error: .*already listens/));
  await free();
  await converges(async () =>
    assert.match(await lab.swarmctl('worker-1', 'node', 'ls'), readyManager('worker-1')),
  );
  await lab.swarmctl('manager-1', 'node', 'demote', 'worker-1');
  await converges(async () => {
    const nodes = await lab.swarmctl('manager-1', 'node', 'ls');
    assert.doesNotMatch(nodes, /worker-1 .*(Reachable|Unreachable|Leader)/);
    assert.match(await infoOf('worker-1'), /Is Manager: false/);
  });
});

test('a locked manager can leave by force, and takes its tasks along', { skip }, async () => {
  await lab.verb('kill', 'manager-3');
  await lab.verb('restart', 'manager-3');
  await converges(async () => assert.match(await infoOf('manager-3'), /Swarm: locked/));
  await lab.swarmctl('manager-3', 'leave', '--force');
  assert.match(await infoOf('manager-3'), /Swarm: inactive/);
  assert.deepEqual(await containers('manager-3'), []);
});

test('a backup is verified, and without quorum it is still to be had', { skip }, async () => {
  const text = await lab.swarmctl('manager-2', 'swarm', 'backup', '-o', BACKUP);
  assert.match(text, /^Saved and verified .*backup\.tar/);
  assert.match(text, /1 service\b/);
  await lab.verb('kill', 'manager-1');
  const refused = await lab.trySwarmctl('manager-2', 'swarm', 'backup', '-o', `${BACKUP}.2`);
  assert.match(refused.stderr, /does not have a leader/);
  await lab.swarmctl('manager-2', 'swarm', 'backup', '--local', '-o', `${BACKUP}.2`);
});

test('the survivor begins a new cluster, and the worker comes back to it', { skip }, async () => {
  const text = await lab.swarmctl('manager-2', 'swarm', 'recover', '--yes');
  assert.match(text, /Swarm recovered: current node \(\S+\) is its only manager/);
  await converges(async () => {
    const nodes = await lab.swarmctl('manager-2', 'node', 'ls');
    assert.match(nodes, /manager-2 +Ready +Active +Leader/);
    assert.match(nodes, /worker-1 +Ready/);
  });
  assert.equal(await lab.swarmctl('manager-2', 'swarm', 'unlock-key', '-q'), key);
  await converges(async () =>
    assert.match(await lab.swarmctl('manager-2', 'service', 'ls'), /web +replicated +4\/4/),
  );
});

test('a lost manager comes back, is unlocked, and is one again', { skip }, async () => {
  await lab.verb('restart', 'manager-1');
  const unlocked = await unlock('manager-1', key);
  assert.deepEqual([unlocked.code, unlocked.stderr], [0, '']);
  await converges(async () =>
    assert.match(await lab.swarmctl('manager-2', 'node', 'ls'), /manager-1 .*Reachable/),
  );
  await lab.swarmctl('manager-1', 'leave', '--force');
});

test('a backup is recovered on another machine, at another address', { skip }, async () => {
  const tar = (await lab.exec('manager-2', 'base64', '-w0', BACKUP)).trim();
  await lab.verb('kill', 'manager-2');
  await lab.tryExecWith(tar, 'manager-3', 'sh', '-c', `base64 -d > ${BACKUP}`);
  const addresses = ['--advertise-addr', lab.address('manager-3')];
  const recover = ['swarmctl', 'swarm', 'recover', BACKUP, ...addresses, '--yes'];
  const wrong = await lab.tryExecWith(`SWMKEY-1-${'A'.repeat(43)}\n`, 'manager-3', ...recover);
  assert.match(wrong.stderr, /invalid key provided/);
  assert.match(await infoOf('manager-3'), /Swarm: inactive/);
  const done = await lab.tryExecWith(`${key}\n`, 'manager-3', ...recover);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /becomes the only manager of the swarm in the backup/);
  await converges(async () =>
    assert.match(await lab.swarmctl('manager-3', 'node', 'ls'), /manager-3 +Ready +Active +Leader/),
  );
  // The worker knows no address of this manager: it joins again.
  await lab.swarmctl('worker-1', 'leave', '--force');
  const token = await lab.swarmctl('manager-3', 'join-token', '-q', 'worker');
  const remote = `${lab.address('manager-3')}:2377`;
  const own = ['--advertise-addr', lab.address('worker-1')];
  await lab.swarmctl('worker-1', 'join', '--token', token, ...own, remote);
  await converges(async () =>
    assert.match(await lab.swarmctl('manager-3', 'service', 'ls'), /web +replicated +4\/4/),
  );
  // It is a whole manager: locked as the others were, and to be joined.
  await lab.verb('kill', 'manager-3');
  await lab.verb('restart', 'manager-3');
  assert.equal((await unlock('manager-3', key)).code, 0);
  await converges(() => lab.swarmctl('manager-3', 'node', 'ls'));
});

async function infoOf(host: string): Promise<string> {
  return (await lab.docker(host, ['info'])).stdout;
}

async function containers(host: string): Promise<string[]> {
  const text = await lab.swarmctl(host, 'ps', '-q');
  return text.split('\n').filter(Boolean);
}

const readyManager = (host: string) => new RegExp(`${host} +Ready +Active +(Reachable|Leader)`);

/** Resolves when what the manager has on disk is locked with this key and no other. */
async function lockedWith(host: string, unlockKey: string): Promise<void> {
  const init = {
    path: lab.stateFile(host, 'swarm/raft/keys.json'),
    unlockKey: parseUnlockKey(unlockKey),
  };
  await converges(async () => {
    const file = await KeyFile.read({ random: systemRandom }, init);
    assert.deepEqual(file?.unlockKey, init.unlockKey);
  });
}

const MEMBERSHIP = '/var/lib/swarm/swarm';

/** Of the certificate on disk. */
function subjectOf(host: string): Promise<string> {
  const file = `${MEMBERSHIP}/certificates/swarm-node.crt`;
  const code = `new crypto.X509Certificate(fs.readFileSync('${file}')).subject`;
  return lab.exec(host, 'node', '-p', code);
}

function filesOf(host: string): Promise<string> {
  return lab.exec(host, 'ls', MEMBERSHIP);
}

/** Once the host says that it is locked. */
async function unlock(host: string, unlockKey: string): Promise<CommandResult> {
  await converges(async () => assert.match(await infoOf(host), /Swarm: locked/));
  return lab.docker(host, ['swarm', 'unlock'], `${unlockKey}\n`);
}
