import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '../../../common/logger.ts';
import { trustBundleOf } from '../../../manager/ca/cluster-root.ts';
import { httpsPost } from '../../../manager/ca/https-post.ts';
import { parseJoinToken } from '../../../manager/ca/join-token.ts';
import { nextRootCa } from '../../../manager/ca/next-root.ts';
import { createRootCa, type RootCa } from '../../../manager/ca/root-ca.ts';
import { RootRotator } from '../../../manager/ca/root-rotator.ts';
import { SecurityConfig } from '../../../manager/ca/security-config.ts';
import { type Cluster, Node, type RootCA } from '../../../proto/gen/swarm/objects.ts';
import { CAConfig, ClusterSpec, NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { IssuanceState } from '../../../proto/gen/swarm/types.ts';
import { CfsslSigner } from '../../support/cfssl-signer.ts';
import { onEnd, tempDir } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { localStore } from '../../support/local-store.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { type CaCluster, clusterObject, components, startCaCluster } from './fixture.ts';

type Change = Parameters<typeof CAConfig.fromPartial>[0];

const DEAF = { post: httpsPost, tls: () => ({ rootCaPem: '', certificatePem: '', keyPem: '' }) };

/** Does what a node does with its session, and tells of its certificate. */
async function follow(t: TestContext, cluster: CaCluster, node: SecurityConfig): Promise<void> {
  const { store } = cluster;
  const { nodeId } = node.identity;
  const report = () =>
    store.update((tx) => {
      const old = tx.get('node', nodeId);
      const issuer = node.issuer;
      if (!old || !issuer) return;
      const tlsInfo = {
        trustRoot: Buffer.from(node.rootCaPem),
        certIssuerSubject: issuer.subject,
        certIssuerPublicKey: issuer.publicKey,
      };
      tx.update('node', {
        ...old,
        description: Node.fromPartial({ description: { tlsInfo } }).description,
      });
    });
  let work = Promise.resolve();
  const look = () => {
    work = work.then(async () => {
      await node.trustRoots(trustBundleOf(rootOf(cluster)).toString());
      const own = store.view((tx) => tx.get('node', nodeId));
      if (own?.certificate?.status?.state === IssuanceState.ROTATE) node.requestRenewal();
    });
  };
  await node.start();
  onEnd(t, () => node.stop());
  onEnd(
    t,
    node.onChange(() => void report()),
  );
  onEnd(t, store.subscribe(look));
  await report();
}

function rootOf({ store, security }: CaCluster): RootCA {
  const { clusterId } = security.identity;
  return store.view((tx) => tx.get('cluster', clusterId))?.rootCa as RootCA;
}

async function join(t: TestContext, cluster: CaCluster, token: string): Promise<SecurityConfig> {
  return SecurityConfig.join(
    { ...components, remotes: () => [cluster.addr] },
    {
      stateDir: await tempDir(t),
      remotes: [cluster.addr],
      token,
      availability: NodeSpec_Availability.ACTIVE,
    },
  );
}

async function lead(t: TestContext, cluster: CaCluster): Promise<RootRotator> {
  const { clusterId } = cluster.security.identity;
  const rotator = new RootRotator({ ...components, store: cluster.store }, { clusterId });
  onEnd(t, () => rotator.stop());
  await rotator.start();
  return rotator;
}

/** As the control API does it. */
async function rotate(cluster: CaCluster, change: Change): Promise<void> {
  const { store, security } = cluster;
  const { clusterId } = security.identity;
  const seen = store.view((tx) => tx.get('cluster', clusterId)) as Cluster;
  const caConfig = CAConfig.fromPartial(change);
  const spec = ClusterSpec.fromPartial({ ...seen.spec, caConfig });
  const external = { post: httpsPost, tls: () => security.copy(undefined) };
  const rootCa = await nextRootCa({ ...components, external }, seen, spec);
  await store.update((tx) => {
    tx.update('cluster', { ...(tx.get('cluster', clusterId) as Cluster), spec, rootCa });
  });
}

async function converged(cluster: CaCluster, nodes: readonly SecurityConfig[]): Promise<RootCA> {
  await eventually(() => {
    const root = rootOf(cluster);
    assert.equal(root.rootRotation, undefined);
    const { publicKey } = new X509Certificate(root.caCert);
    for (const node of nodes) {
      assert.equal(node.rootCaPem, root.caCert.toString());
      assert.deepEqual(node.issuer?.publicKey, publicKey.export({ type: 'spki', format: 'der' }));
    }
  });
  return rootOf(cluster);
}

test('all nodes get to a new root, over TLS that holds all the time', async (t) => {
  const cluster = await startCaCluster(t);
  const nodes = [cluster.security, await join(t, cluster, cluster.tokens.worker)];
  for (const node of nodes) await follow(t, cluster, node);
  const first = await lead(t, cluster);
  const old = rootOf(cluster);
  await rotate(cluster, { forceRotate: 1 });
  // Another leader takes over at once, with nothing but the store.
  await first.stop();
  await lead(t, cluster);
  const joined = await join(t, cluster, cluster.tokens.worker);
  await follow(t, cluster, joined);
  const root = await converged(cluster, [...nodes, joined]);
  assert.notDeepEqual(root.caCert, old.caCert);
  const digest = parseJoinToken(root.joinTokens?.worker ?? '').rootDigest.toString('hex');
  assert.equal(`sha256:${digest}`, root.caCertHash);
  await assert.rejects(join(t, cluster, cluster.tokens.worker), {
    code: 'SWM_INVALID_ARGUMENT',
    message: /^remote CA does not match fingerprint/,
  });
  const late = await join(t, cluster, root.joinTokens?.worker ?? '');
  assert.equal(late.rootCaPem, root.caCert.toString());
  assert.equal(late.certificatePem.match(/BEGIN CERT/g)?.length, 1, 'nothing goes along any more');
});

test('a root that is given up leaves no certificate of it behind', async (t) => {
  const cluster = await startCaCluster(t);
  const away = await join(t, cluster, cluster.tokens.worker);
  const { caCert, caKey } = rootOf(cluster);
  await follow(t, cluster, cluster.security);
  await lead(t, cluster);
  await rotate(cluster, { forceRotate: 1 });
  const next = rootOf(cluster).rootRotation?.caCert.toString() ?? '';
  const nextKey = new X509Certificate(next).publicKey.export({ type: 'spki', format: 'der' });
  await eventually(() => assert.deepEqual(cluster.security.issuer?.publicKey, nextKey));
  await rotate(cluster, { signingCaCert: caCert, signingCaKey: caKey });
  await converged(cluster, [cluster.security]);
  assert.deepEqual(rootOf(cluster).caCert, caCert);
  assert.equal(away.rootCaPem, caCert.toString(), 'who was away has missed nothing');
});

test('a root whose key the swarm does not have signs by its external CA', async (t) => {
  const cluster = await startCaCluster(t);
  const nodes = [cluster.security, await join(t, cluster, cluster.tokens.worker)];
  for (const node of nodes) await follow(t, cluster, node);
  await lead(t, cluster);
  const root: RootCa = await createRootCa(Date.now());
  const clients = rootOf(cluster).caCert.toString() + root.certificatePem;
  const signer = await CfsslSigner.start(t, root, clients);
  const caCert = Buffer.from(root.certificatePem);
  const externalCas = [{ url: signer.url, caCert }];
  await rotate(cluster, { signingCaCert: caCert, externalCas });
  const now = await converged(cluster, nodes);
  assert.deepEqual([now.caCert, now.caKey.length], [caCert, 0]);
  // Those that join are signed for there, too; and nobody is when it is away.
  const asked = signer.requests.length;
  const joined = await join(t, cluster, now.joinTokens?.worker ?? '');
  assert(root.signed(joined.certificatePem));
  assert.equal(signer.requests.length, asked + 1);
  signer.override = () => ({ status: 503, body: 'closed for today' });
  const before = joined.certificatePem;
  await assert.rejects(joined.renew(), {
    code: 'SWM_UNAVAILABLE',
    message: /no external CA signed the certificate: https:.*HTTP status 503/,
  });
  assert.equal(joined.certificatePem, before);
});

test('many nodes are told by and by, and one that does not answer is told again', async (t) => {
  const { security } = await startCaCluster(t);
  const clock = new VirtualClock();
  const { store } = localStore(clock);
  const { clusterId } = security.identity;
  const tokens = { worker: 'w', manager: 'm' };
  const ids = Array.from({ length: 100 }, (_, i) => `n${i}`);
  await store.batch(ids, (tx, id) => tx.create('node', Node.fromPartial({ id })));
  const cluster = clusterObject(security, tokens);
  const spec = ClusterSpec.fromPartial({ caConfig: { forceRotate: 1 } });
  const rootCa = await nextRootCa({ ...components, external: DEAF }, cluster, spec);
  await store.update((tx) => tx.create('cluster', { ...cluster, rootCa }));
  const told = () =>
    store.view((tx) =>
      [...tx.all('node')].filter(
        ({ certificate }) => certificate?.status?.state === IssuanceState.ROTATE,
      ),
    );
  const parts = { store, clock, random: seededRandom(1), logger: silentLogger };
  const rotator = new RootRotator(parts, { clusterId });
  await rotator.start();
  onEnd(t, () => rotator.stop());
  const counts = [];
  for (let second = 0; second < 12; second++) {
    await clock.advance(second === 0 ? 0 : 1_000);
    counts.push(told().length);
  }
  assert.deepEqual(counts, [30, 30, 30, 60, 60, 60, 90, 90, 90, 100, 100, 100]);
  // It got a certificate, and died before it had written it down: it says that it has the old one.
  await store.update((tx) => {
    const node = tx.get('node', 'n0') as Node;
    tx.update('node', {
      ...node,
      certificate: { ...node.certificate!, status: { state: IssuanceState.ISSUED, err: '' } },
    });
  });
  await clock.advance(3_000);
  assert.equal(told().length, 100);
});
