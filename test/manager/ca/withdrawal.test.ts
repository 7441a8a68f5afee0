import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../../common/clock.ts';
import { CertificateAuthority } from '../../../manager/ca/ca-service.ts';
import { SecurityConfig } from '../../../manager/ca/security-config.ts';
import { withdraw } from '../../../manager/ca/withdrawal.ts';
import { createCertificateRequest } from '../../../manager/ca/x509.ts';
import { NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeDescription } from '../../../proto/gen/swarm/types.ts';
import { onEnd, tempDir } from '../../support/cleanup.ts';
import { deafServer, freeAddr, LOOPBACK } from '../../support/loopback.ts';
import { noExternalCa } from '../../support/no-external-ca.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { type CaCluster, components, startCaCluster } from './fixture.ts';

test('a node withdraws itself, and its certificate is void', async (t) => {
  const cluster = await startCaCluster(t);
  const other = await enter(t, cluster);
  const security = await enter(t, cluster, { remotes: [await freeAddr(), cluster.addr] });
  assert.equal(joined(cluster).length, 2);
  await security.withdraw();
  assert.deepEqual(joined(cluster), [other.identity.nodeId]);
  await assert.rejects(security.renew(), { message: /was removed from swarm/ });
  await security.withdraw();
  await other.renew();
});

test('where no manager hears of it within five seconds, it is left to them', async (t) => {
  const cluster = await startCaCluster(t);
  const security = await enter(t, cluster);
  const clock = new VirtualClock();
  const remotes = [await deafServer(t), await deafServer(t), await freeAddr()];
  const files = security.copy(undefined);
  let given = false;
  const withdrawn = withdraw({ ...components, clock }, { files, remotes }).then(() => {
    given = true;
  });
  const took = await clock.until(() => given, 60_000);
  await withdrawn;
  assert.ok(took <= 5_100, `it took ${took} ms`);
  assert.equal(clock.pending, 0);
  assert.deepEqual(joined(cluster), [security.identity.nodeId]);
});

test('what cannot be written down is withdrawn', async (t) => {
  const cluster = await startCaCluster(t);
  const stateDir = await tempDir(t);
  await writeFile(join(stateDir, 'certificates'), 'no directory');
  await assert.rejects(enter(t, cluster, { stateDir }), { code: /ENOTDIR|EEXIST/ });
  assert.deepEqual(joined(cluster), []);
});

test('so is what comes after somebody changed his mind', async (t) => {
  const cluster = await startCaCluster(t);
  const abort = new AbortController();
  let admitted = 0;
  onAdmission(cluster, () => {
    admitted++;
    abort.abort(new Error('enough'));
  });
  await assert.rejects(enter(t, cluster, { signal: abort.signal }), { message: 'enough' });
  assert.deepEqual([admitted, joined(cluster)], [1, []]);
});

test('and a certificate that is not valid by the clock here', async (t) => {
  const now = () => systemClock.now() - 2 * 3_600_000;
  // The manager says that it has the same time, and has another one when it signs.
  let asked = 0;
  const theirs = { ...systemClock, now: () => (asked++ === 0 ? now() : systemClock.now()) };
  const cluster = await startCaCluster(t, theirs);
  const clock = { ...systemClock, now };
  await assert.rejects(enter(t, cluster, { clock }), { code: 'SWM_FAILED_PRECONDITION' });
  assert.deepEqual([joined(cluster), cluster.removed.size], [[], 1]);
});

test('a machine that did not hear that it was admitted is not admitted twice', async (t) => {
  const cluster = await startCaCluster(t);
  const line = await proxy(t, cluster.addr);
  let admitted = 0;
  onAdmission(cluster, () => {
    admitted++;
    line.cut();
  });
  const security = await enter(t, cluster, { remotes: [line.addr, line.addr] });
  assert.equal(admitted, 1);
  assert.deepEqual(joined(cluster), [security.identity.nodeId]);
  await security.renew();
});

test('one key is one node, until it was heard of', async (t) => {
  const { store, security, tokens } = await startCaCluster(t);
  const { clusterId } = security.identity;
  const parts = { ...components, store, external: noExternalCa };
  const authority = new CertificateAuthority(parts, { clusterId });
  const { csrPem } = await createCertificateRequest();
  const availability = NodeSpec_Availability.ACTIVE;
  const ask = (token: string) =>
    authority.issue({ csr: Buffer.from(csrPem), token, availability }, undefined);
  const [first, second] = await Promise.all([ask(tokens.worker), ask(tokens.worker)]);
  assert.equal(first, second);
  assert.equal(await ask(tokens.worker), first);
  assert.notEqual(await ask(tokens.manager), first, 'what it is to be, the token says');
  await store.update((tx) => {
    const node = tx.get('node', first as string)!;
    tx.update('node', { ...node, description: NodeDescription.fromPartial({ hostname: 'h' }) });
  });
  assert.notEqual(await ask(tokens.worker), first);
});

interface Attempt {
  readonly clock?: Clock;
  readonly remotes?: readonly string[];
  readonly stateDir?: string;
  readonly signal?: AbortSignal;
}

async function enter(t: TestContext, cluster: CaCluster, attempt: Attempt = {}) {
  const { clock = systemClock, remotes = [cluster.addr], signal } = attempt;
  const { stateDir = await tempDir(t) } = attempt;
  const availability = NodeSpec_Availability.ACTIVE;
  return SecurityConfig.join(
    { ...components, clock, remotes: () => remotes },
    { stateDir, remotes, token: cluster.tokens.worker, availability, signal },
  );
}

/** All but the manager that began the cluster. */
const joined = ({ store, security }: CaCluster) =>
  store
    .view((tx) => [...tx.all('node')])
    .map(({ id }) => id)
    .filter((id) => id !== security.identity.nodeId);

/** Before whoever asked for it has an answer. */
const onAdmission = ({ store }: CaCluster, listener: () => void) =>
  store.subscribe(({ changes }) => {
    if (changes.some(({ kind, type }) => kind === 'node' && type === 'create')) listener();
  });

/** A line to `target` that can be cut, upon which it is to be dialled again. */
async function proxy(t: TestContext, target: string) {
  const [host, port] = target.split(':') as [string, string];
  const sockets = new Set<Socket>();
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((near) => {
    const far = dial(Number(port), host);
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
    near.pipe(far).pipe(near);
  }).listen(0, LOOPBACK);
  await once(server, 'listening');
  onEnd(t, () => {
    cut();
    server.close();
  });
  return { addr: `${LOOPBACK}:${(server.address() as AddressInfo).port}`, cut };
}
