import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { httpsPost } from '../../../manager/ca/https-post.ts';
import { createRootCa, RootCa } from '../../../manager/ca/root-ca.ts';
import { createCertificateRequest, generateKeyPair } from '../../../manager/ca/x509.ts';
import { leaderControl } from '../../../manager/control/leader-control.ts';
import type { Cluster } from '../../../proto/gen/swarm/objects.ts';
import { CAConfig, ClusterSpec, type ExternalCA } from '../../../proto/gen/swarm/specs.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { CfsslSigner } from '../../support/cfssl-signer.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { type Bench, CLUSTER_ID, controlBench } from './fixture.ts';

type Change = Parameters<typeof CAConfig.fromPartial>[0];

const none = { workerJoinToken: false, managerJoinToken: false, managerUnlockKey: false };
const DAY_MS = 24 * 3_600_000;

function clusterOf({ store }: Bench): Cluster {
  return store.view((tx) => tx.get('cluster', CLUSTER_ID)) as Cluster;
}

async function update(bench: Bench, change: Change, control = bench.control): Promise<Cluster> {
  const { spec, meta } = clusterOf(bench);
  const caConfig = CAConfig.fromPartial({ ...spec?.caConfig, ...change });
  const next = ClusterSpec.fromPartial({ ...spec, caConfig });
  return control.updateCluster(meta?.version?.index ?? 0, next, none);
}

const pems = (root: RootCa) => ({
  signingCaCert: Buffer.from(root.certificatePem),
  signingCaKey: Buffer.from(root.keyPem ?? ''),
});

/** The next root, in the form in which the current one vouches for it. */
function crossSigned(cluster: Cluster): X509Certificate {
  return new X509Certificate(cluster.rootCa?.rootRotation?.crossSignedCaCert.toString() ?? '');
}

test('a forced rotation has a new root, which the current one vouches for', async () => {
  const bench = await controlBench();
  const before = clusterOf(bench).rootCa;
  const { rootCa, spec } = await update(bench, { forceRotate: 1 });
  const rotation = rootCa?.rootRotation;
  assert(rotation && before);
  assert.deepEqual(rootCa.caCert, before.caCert);
  assert.deepEqual(rootCa.joinTokens, before.joinTokens, 'tokens change at the end of it');
  assert.notDeepEqual(rotation.caCert, before.caCert);
  assert(rotation.caKey.length > 0);
  assert(new RootCa(before.caCert.toString()).signed(rotation.crossSignedCaCert.toString()));
  assert(
    crossSigned({ rootCa } as Cluster).publicKey.equals(
      new X509Certificate(rotation.caCert).publicKey,
    ),
  );
  assert.deepEqual([rootCa.lastForcedRotation, spec?.caConfig?.forceRotate], [1, 1]);
});

test('an update that asks for no rotation leaves one that is under way alone', async () => {
  const bench = await controlBench();
  const { rootCa } = await update(bench, { forceRotate: 1 });
  const again = await update(bench, { nodeCertExpiry: { seconds: 7200, nanos: 0 } });
  assert.deepEqual(again.rootCa, rootCa);
  // Also one of a client that knows nothing of rotations.
  const old = await update(bench, { forceRotate: 0 });
  assert.deepEqual(old.rootCa, rootCa);
  assert.equal(old.spec?.caConfig?.forceRotate, 1);
});

test('a second rotation takes the place of the first, from the same current root', async () => {
  const bench = await controlBench();
  const first = await update(bench, { forceRotate: 1 });
  const second = await update(bench, { forceRotate: 2 });
  assert.notDeepEqual(second.rootCa?.rootRotation?.caCert, first.rootCa?.rootRotation?.caCert);
  const current = new X509Certificate(second.rootCa?.caCert ?? '');
  assert(crossSigned(second).verify(current.publicKey));
});

test('the root of a user is taken with its key, which is in the spec no more', async () => {
  const bench = await controlBench();
  const root = await createRootCa(bench.context.clock.now());
  const { rootCa, spec } = await update(bench, pems(root));
  assert.equal(rootCa?.rootRotation?.caCert.toString(), root.certificatePem);
  assert.equal(
    new X509Certificate(root.certificatePem).fingerprint256,
    new X509Certificate(rootCa?.rootRotation?.caCert ?? '').fingerprint256,
  );
  const signer = new RootCa(root.certificatePem, rootCa?.rootRotation?.caKey.toString());
  const { csrPem } = await createCertificateRequest();
  const identity = { nodeId: 'n', role: NodeRole.WORKER, clusterId: CLUSTER_ID };
  assert(root.signed(await signer.issue({ csrPem, identity, validityMs: DAY_MS, now: 0 })));
  assert.deepEqual(
    [spec?.caConfig?.signingCaCert.length, spec?.caConfig?.signingCaKey.length],
    [0, 0],
  );
});

test('the current root, given again, ends a rotation', async () => {
  const bench = await controlBench();
  const { caCert, caKey } = clusterOf(bench).rootCa ?? {};
  await update(bench, { forceRotate: 1 });
  const given = { signingCaCert: caCert ?? Buffer.of(), signingCaKey: caKey ?? Buffer.of() };
  const { rootCa } = await update(bench, given);
  assert.equal(rootCa?.rootRotation, undefined);
  assert.deepEqual(rootCa?.caCert, caCert);
  assert(rootCa?.caKey.length);
});

test('a root that cannot be used is refused, with the reason', async () => {
  const bench = await controlBench();
  const { now } = bench.context.clock;
  const [root, other] = [await createRootCa(now.call(bench.context.clock)), await createRootCa(0)];
  const { privateKeyPem } = await generateKeyPair();
  const { csrPem } = await createCertificateRequest();
  const identity = { nodeId: 'n', role: NodeRole.WORKER, clusterId: CLUSTER_ID };
  const leaf = await root.issue({ csrPem, identity, validityMs: 900 * DAY_MS, now: Date.now() });
  const old = await createRootCa(Date.UTC(2026, 0, 1) - 20 * 365 * DAY_MS);
  const pem = (text: string) => Buffer.from(text);
  const { signingCaCert, signingCaKey } = pems(root);
  const cases: [Change, RegExp][] = [
    [{ signingCaKey }, /if a signing CA key is provided, the signing CA cert must also/],
    [{ signingCaCert: pem('x'), signingCaKey }, /could not parse the desired CA certificate/],
    [
      { signingCaCert: pem(root.certificatePem + other.certificatePem), signingCaKey },
      /the desired CA certificate cannot contain multiple certificates/,
    ],
    [{ signingCaCert: pem(leaf), signingCaKey }, /is not that of a CA/],
    [{ ...pems(old) }, /CA certificate expires too soon/],
    [{ signingCaCert, signingCaKey: pem('x') }, /the signing CA key is not a private key in PEM/],
    [{ signingCaCert, signingCaKey: pem(privateKeyPem) }, /is not that of the signing CA cert/],
    [
      { signingCaCert, signingCaKey: pem('-----BEGIN ENCRYPTED PRIVATE KEY-----') },
      /the signing CA key is encrypted; decrypt it first/,
    ],
    [
      { signingCaCert: pem(await other.crossSign(root.certificatePem, Date.now())), signingCaKey },
      /it must be a root, which signs itself/,
    ],
  ];
  for (const [change, message] of cases) {
    await assert.rejects(update(bench, change), { code: 'SWM_INVALID_ARGUMENT', message });
  }
  await assert.rejects(update(bench, { signingCaCert }), {
    code: 'SWM_FAILED_PRECONDITION',
    message:
      'there must be at least one valid, reachable external CA corresponding to the desired CA certificate',
  });
  assert.equal(clusterOf(bench).rootCa?.rootRotation, undefined);
});

test('external CAs must be such that can be asked', async () => {
  const bench = await controlBench();
  for (const url of ['', 'ca.example', 'http://ca.example/sign']) {
    await assert.rejects(update(bench, { externalCas: [{ url }] }), {
      code: 'SWM_INVALID_ARGUMENT',
      message: `invalid URL of an external CA: "${url}"`,
    });
  }
  const wrong = { url: 'https://ca.example/sign', caCert: Buffer.from('x') };
  await assert.rejects(update(bench, { externalCas: [wrong] }), { message: /is not in PEM/ });
  // It would be asked instead of the swarm's own key.
  await assert.rejects(update(bench, { externalCas: [{ url: 'https://ca.example/sign' }] }), {
    code: 'SWM_FAILED_PRECONDITION',
    message:
      /corresponding to the current CA certificate: no external CA signed .*there is no external CA here/,
  });
  // This one is for another root, and not needed yet.
  const caCert = Buffer.from((await createRootCa(bench.context.clock.now())).certificatePem);
  const { spec } = await update(bench, {
    externalCas: [{ url: 'https://ca.example/sign', caCert }],
  });
  assert.equal(spec?.caConfig?.externalCas.length, 1);
  await update(bench, { externalCas: [] });
});

/** A swarm whose clock is right, so that TLS to a signer works. */
async function benchWithSigner(t: TestContext) {
  const bench = await controlBench();
  const root = await createRootCa(Date.now());
  const own = await createCertificateRequest();
  const identity = { nodeId: 'manager1', role: NodeRole.MANAGER, clusterId: CLUSTER_ID };
  const { csrPem, privateKeyPem: keyPem } = own;
  const issue = { csrPem, identity, validityMs: DAY_MS, now: Date.now() };
  const { caCert, caKey } = clusterOf(bench).rootCa ?? {};
  const current = new RootCa(caCert?.toString() ?? '', caKey?.toString());
  const certificatePem = await current.issue(issue);
  const tls = { rootCaPem: current.certificatePem, certificatePem, keyPem };
  const signer = await CfsslSigner.start(t, root, current.certificatePem + root.certificatePem);
  const external = { post: httpsPost, tls: () => tls };
  const clock = new VirtualClock(Date.now());
  const control = leaderControl({ ...bench.context, clock, external });
  const caCertOf = (of: RootCa) => Buffer.from(of.certificatePem);
  const externalCa = (of: RootCa, url = signer.url) => ({ url, caCert: caCertOf(of) });
  return { bench, root, current, signer, control, externalCa, caCertOf };
}

test('to an external root it is rotated only if somebody signs for it', async (t) => {
  const { bench, root, current, signer, control, externalCa, caCertOf } = await benchWithSigner(t);
  const signingCaCert = caCertOf(root);
  const tryWith = (externalCas: Partial<ExternalCA>[]) =>
    update(bench, { signingCaCert, externalCas }, control);
  await assert.rejects(tryWith([externalCa(current)]), {
    message: /at least one valid, reachable/,
  });
  await assert.rejects(tryWith([externalCa(root, 'https://127.0.0.1:1/sign')]), {
    code: 'SWM_FAILED_PRECONDITION',
    message: /corresponding to the desired CA certificate: no external CA signed .*ECONNREFUSED/,
  });
  assert.equal(signer.requests.length, 0);
  const { rootCa } = await tryWith([externalCa(root)]);
  assert.equal(signer.requests.length, 1, 'it was tried out');
  assert.equal(rootCa?.rootRotation?.caKey.length, 0);
  assert(
    crossSigned({ rootCa } as Cluster).verify(new X509Certificate(rootCa?.caCert ?? '').publicKey),
  );
  // Then it must not be forgotten.
  await assert.rejects(update(bench, { externalCas: [] }, control), {
    message: /corresponding to the next CA certificate$/,
  });
});

test('from an external root to one of the swarm, the external CA vouches', async (t) => {
  const { bench, root, signer, control, externalCa } = await benchWithSigner(t);
  await bench.store.update((tx) => {
    const cluster = tx.get('cluster', CLUSTER_ID) as Cluster;
    const spec = ClusterSpec.fromPartial({
      ...cluster.spec,
      caConfig: { externalCas: [externalCa(root)] },
    });
    const caCert = Buffer.from(root.certificatePem);
    const rootCa = cluster.rootCa && { ...cluster.rootCa, caCert, caKey: Buffer.of() };
    tx.update('cluster', { ...cluster, spec, rootCa });
  });
  const next = await createRootCa(Date.now());
  const other = { ...pems(next), signingCaKey: Buffer.of() };
  await assert.rejects(update(bench, { ...other, externalCas: [externalCa(next)] }, control), {
    message: /corresponding to the desired CA certificate/,
  });
  const cluster = await update(bench, { forceRotate: 1 }, control);
  assert.equal(signer.requests.at(-1)?.profile, 'CA');
  assert(crossSigned(cluster).verify(new X509Certificate(root.certificatePem).publicKey));
});
