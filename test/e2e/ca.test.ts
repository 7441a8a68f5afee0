import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createRootCa, type RootCa } from '../../manager/ca/root-ca.ts';
import {
  type CommandResult,
  converges,
  image,
  LAB_NAME,
  Lab,
  lines,
  noLab,
  SCRIPT,
} from './lab.ts';

const skip = noLab;
const PORT = 8080;
const CLIENT = '192.168.77.1';
let lab: Lab;
let traffic: Traffic;

before(async () => {
  if (skip) return;
  lab = await Lab.up({ managers: 3, workers: 1 });
  // Not on the worker, which is frozen at times with all that runs there.
  const constraint = ['--constraint', 'node.role==manager'];
  const create = ['service', 'create', '--name', 'web', '--mode', 'global', ...constraint];
  await lab.swarmctl('manager-1', ...create, '--publish', `${PORT}:80`, image('whoami'));
  for (const host of lab.hosts) await converges(() => lab.http(host, PORT));
});
after(async () => {
  await traffic?.stop();
  await lab?.down();
});

test('the root is rotated while a service is used, and tokens with it', { skip }, async () => {
  traffic = new Traffic();
  const [oldRoot, oldTokens] = [await root('manager-2'), await tokens()];
  const text = await lab.swarmctl('manager-2', 'ca', '--rotate');
  const newRoot = await root('manager-3');
  assert.notEqual(newRoot, oldRoot);
  assert(text.endsWith(newRoot), text);
  assert.match(text, /rotated TLS certificates: +4\/4 nodes/);
  assert.match(text, /rotated CA certificates: +4\/4 nodes/);
  assert.deepEqual(await tlsStatus(), Array(4).fill('Ready'));
  for (const host of lab.hosts) {
    const file = await lab.exec(host, 'cat', '/var/lib/swarm/swarm/certificates/swarm-root-ca.crt');
    const trusted = file.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
    assert.deepEqual(trusted, [newRoot], `${host} trusts the new root and no other`);
  }
  for (const role of ['worker', 'manager'] as const) {
    assert.notEqual((await tokens())[role], oldTokens[role]);
  }
  // The same by Docker's own command line.
  const docker = await lab.docker('manager-1', ['swarm', 'ca', '--rotate', '--quiet']);
  assert.equal(docker.code, 0, docker.stderr);
  assert.notEqual(await root('manager-1'), newRoot);
  assert.equal(
    (await lab.docker('manager-1', ['swarm', 'ca'])).stdout.trim(),
    await root('manager-1'),
  );
});

test('a leader that dies in the middle of a rotation is made good by the next', {
  skip,
}, async () => {
  const before = await root('manager-2');
  const leader = await lab.leader('manager-2');
  const other = ['manager-1', 'manager-2'].find((host) => host !== leader) as string;
  // A node that is away keeps the rotation from ending before the leader dies.
  await lab.verb('freeze', 'worker-1');
  await lab.swarmctl(other, 'ca', '--rotate', '--detach');
  await lab.verb('kill', leader);
  const waiting = await converges(async () => {
    const all = await inspectSwarm(other);
    assert.equal(all.RootRotationInProgress, true);
    return all;
  });
  assert.equal(waiting.TLSInfo.TrustRoot.match(/BEGIN CERT/g).length, 2, 'both roots are trusted');
  await lab.verb('restart', leader);
  await converges(async () => {
    const status = await tlsStatus(other);
    assert.equal(status.filter((one) => one === 'Ready').length, 3, status.join());
  });
  // A manager is restarted while both roots are in use.
  await lab.verb('kill', 'manager-3');
  await lab.verb('restart', 'manager-3');
  await converges(() => lab.swarmctl('manager-3', 'node', 'ls'));
  assert.equal((await inspectSwarm('manager-3')).RootRotationInProgress, true);
  await lab.verb('thaw', 'worker-1');
  await converges(async () => {
    const all = await inspectSwarm('manager-3');
    assert.equal(all.RootRotationInProgress, false);
    assert.notEqual(all.TLSInfo.TrustRoot, before);
    assert.deepEqual(await tlsStatus(), Array(4).fill('Ready'));
  });
});

test('a rotation begun during another takes its place', { skip }, async () => {
  await lab.verb('freeze', 'worker-1');
  await lab.swarmctl('manager-1', 'ca', '--rotate', '--detach');
  const first = (await inspectSwarm('manager-1')).TLSInfo.CertIssuerPublicKey;
  await converges(async () => {
    assert.equal((await tlsStatus()).filter((one) => one === 'Ready').length, 3);
  });
  await lab.swarmctl('manager-2', 'ca', '--rotate', '--detach');
  const second = (await inspectSwarm('manager-2')).TLSInfo.CertIssuerPublicKey;
  assert.notEqual(first, second);
  await lab.verb('thaw', 'worker-1');
  await converges(async () => {
    const all = await inspectSwarm('manager-1');
    assert.deepEqual(
      [all.RootRotationInProgress, all.TLSInfo.CertIssuerPublicKey],
      [false, second],
    );
    assert.deepEqual(await tlsStatus(), Array(4).fill('Ready'));
  });
});

test('no request failed in all of this', { skip }, async () => {
  const { sent, failed } = await traffic.stop();
  assert(sent > 100, `${sent} requests were sent`);
  assert.deepEqual(failed, []);
});

test('who has an old token does not get in, who has a new one does', { skip }, async () => {
  const old = (await tokens()).worker;
  await lab.swarmctl('worker-1', 'leave');
  await lab.swarmctl('manager-1', 'join-token', '-q', '--rotate', 'worker');
  const refused = await join('worker-1', old);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /A valid join token is necessary to join this cluster/);
  // The nodes in place do not notice.
  assert.deepEqual((await tlsStatus()).slice(0, 3), Array(3).fill('Ready'));
  const beforeRotation = (await tokens()).worker;
  await removeDown();
  await lab.swarmctl('manager-1', 'ca', '--rotate', '--quiet');
  const stale = await join('worker-1', beforeRotation);
  assert.equal(stale.code, 1);
  assert.match(stale.stderr, /remote CA does not match fingerprint/);
  assert.match(stale.stderr, /before its root CA was rotated/);
  const joined = await join('worker-1', (await tokens()).worker);
  assert.equal(joined.code, 0, joined.stderr);
});

test('a node that was removed is locked out, and is told so', { skip }, async () => {
  await converges(() => lab.http('worker-1', PORT));
  const id = await nodeId('worker-1');
  await lab.swarmctl('manager-1', 'node', 'rm', '--force', 'worker-1');
  const message = `node ${id} was removed from swarm`;
  await converges(async () => {
    const info = await lab.swarmctl('worker-1', 'info', '--format', '{{.Swarm.Error}}');
    assert.match(info, new RegExp(message));
  });
  assert.match(await lab.verb('logs', 'worker-1'), new RegExp(`Permission denied: ${message}`));
  // Its gossip is refused by all the others.
  await converges(async () => {
    const members = await lab.exec(
      'manager-1',
      'sh',
      '-c',
      "ss -tnH state established '( sport = :7946 or dport = :7946 )'",
    );
    assert(!members.includes(`${lab.address('worker-1')}:`), members);
  });
  // It does not come back with a restart either.
  await lab.verb('kill', 'worker-1');
  await lab.verb('restart', 'worker-1');
  await converges(async () => {
    const info = await lab.swarmctl('worker-1', 'info', '--format', '{{.Swarm.Error}}');
    assert.match(info, new RegExp(message));
  });
  assert(!(await lab.swarmctl('manager-1', 'node', 'ls')).includes('worker-1'));
  await lab.swarmctl('worker-1', 'leave', '--force');
  assert.equal((await join('worker-1', (await tokens()).worker)).code, 0);
});

test('an external CA signs for the swarm, and the swarm again for itself', { skip }, async (t) => {
  const external = await createRootCa(Date.now());
  const signer = await startSigner(external, await root('manager-1'));
  t.after(() => signer.stop());
  const file = '/var/lib/swarm/external-root.crt';
  const copied = await lab.tryExecWith(external.certificatePem, 'manager-1', 'tee', file);
  assert.equal(copied.code, 0, copied.stderr);
  const flag = `protocol=cfssl,url=${signer.url},cacert=${file}`;
  const rotate = ['ca', '--rotate', '--quiet', '--ca-cert', file, '--external-ca'];
  const nobody = flag.replace(':8888', ':8889');
  const refused = await lab.trySwarmctl('manager-1', ...rotate, nobody);
  assert.match(refused.stderr, /corresponding to the desired CA certificate: .*ECONNREFUSED/);
  await lab.swarmctl('manager-1', ...rotate, flag);
  assert.equal(await root('manager-2'), external.certificatePem.trim());
  assert.deepEqual(await tlsStatus(), Array(4).fill('Ready'));
  // Who joins is signed for there.
  await lab.swarmctl('worker-1', 'leave');
  await removeDown();
  const joined = await join('worker-1', (await tokens()).worker);
  assert.equal(joined.code, 0, joined.stderr);
  await converges(async () => assert.deepEqual(await tlsStatus(), Array(4).fill('Ready')));
  await lab.swarmctl('manager-2', 'ca', '--rotate', '--quiet');
  assert.notEqual(await root('manager-2'), external.certificatePem.trim());
  // It is not needed any more.
  await signer.stop();
  await lab.swarmctl('manager-2', 'ca', '--rotate', '--quiet');
  assert.deepEqual(await tlsStatus(), Array(4).fill('Ready'));
});

/** On the machine outside the swarm. */
async function startSigner(external: RootCa, swarmRoot: string) {
  const main = fileURLToPath(new URL('../support/cfssl-main.ts', import.meta.url));
  const { certificatePem, keyPem } = external;
  const clients = `${swarmRoot}\n${certificatePem}`;
  const signer = JSON.stringify({ root: certificatePem, key: keyPem, clients });
  const args = ['client', process.execPath, '--import', 'tsx', main, CLIENT, '8888'];
  const child = spawn(SCRIPT, args, {
    env: { ...process.env, SWARM_LAB: LAB_NAME, SIGNER: signer },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const stop = () => {
    child.stdin.end();
    return ended;
  };
  const died = ended.then(() => assert.fail('the signer did not start'));
  const [first] = await Promise.race([once(child.stdout, 'data'), died]);
  died.catch(() => undefined);
  return { url: String(first).trim(), stop };
}

interface SwarmObject {
  readonly RootRotationInProgress: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: of the API.
  readonly TLSInfo: any;
}

/** Asks the published port of every host, all the time. */
class Traffic {
  readonly failed: string[] = [];
  #sent = 0;
  #stopping = false;
  #loop: Promise<void> = this.#run();

  async stop(): Promise<{ sent: number; failed: string[] }> {
    this.#stopping = true;
    await this.#loop;
    return { sent: this.#sent, failed: this.failed };
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      // The worker is frozen at times, as a host: the others must answer.
      for (const host of ['manager-1', 'manager-2', 'manager-3']) {
        this.#sent++;
        await lab.http(host, PORT).catch((error: Error) => this.failed.push(error.message));
      }
    }
  }
}

async function root(host: string): Promise<string> {
  return (await lab.swarmctl(host, 'ca')).trim();
}

async function tokens(): Promise<{ worker: string; manager: string }> {
  const ask = (role: string) => lab.swarmctl('manager-1', 'join-token', '-q', role);
  return { worker: await ask('worker'), manager: await ask('manager') };
}

/** Of the nodes in the order of their names. */
async function tlsStatus(host = 'manager-1'): Promise<string[]> {
  return lines(await lab.swarmctl(host, 'node', 'ls', '--format', '{{.TLSStatus}}'));
}

async function inspectSwarm(host: string): Promise<SwarmObject> {
  const { stdout } = await lab.docker(host, ['info', '--format', '{{json .Swarm.Cluster}}']);
  return JSON.parse(stdout);
}

async function nodeId(host: string): Promise<string> {
  return lab.swarmctl(host, 'info', '--format', '{{.Swarm.NodeID}}');
}

function join(host: string, token: string): Promise<CommandResult> {
  const own = ['--advertise-addr', lab.address(host)];
  return lab.trySwarmctl(
    host,
    'join',
    '--token',
    token,
    ...own,
    `${lab.address('manager-1')}:2377`,
  );
}

async function removeDown(): Promise<void> {
  await converges(() => lab.swarmctl('manager-1', 'node', 'rm', 'worker-1'));
}
