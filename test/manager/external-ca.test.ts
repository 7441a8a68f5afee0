import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createRootCa } from '../../manager/ca/root-ca.ts';
import type { Cluster } from '../../proto/gen/swarm/objects.ts';
import { CAConfig, ClusterSpec } from '../../proto/gen/swarm/specs.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import { CfsslSigner } from '../support/cfssl-signer.ts';
import { bootstrapNode, enrolNode, joinTokens, type TestNode } from './cluster.ts';

const none = { workerJoinToken: false, managerJoinToken: false, managerUnlockKey: false };

async function clusterOf({ manager, securityConfig }: TestNode): Promise<Cluster> {
  const { clusterId } = securityConfig.identity;
  return manager.read((tx) => tx.get('cluster', clusterId) as Cluster);
}

test('a manager has an external CA sign for those that join, and for itself', async (t) => {
  const first = await bootstrapNode(t);
  const root = await createRootCa(Date.now());
  const old = first.securityConfig.rootCaPem;
  const signer = await CfsslSigner.start(t, root, old + root.certificatePem);
  const { spec, meta } = await clusterOf(first);
  const caCert = Buffer.from(root.certificatePem);
  const change = { externalCas: [{ url: signer.url, caCert }], signingCaCert: caCert };
  const caConfig = CAConfig.fromPartial({ ...spec?.caConfig, ...change });
  const version = meta?.version?.index ?? 0;
  await first.manager.control.updateCluster(
    version,
    ClusterSpec.fromPartial({ ...spec, caConfig }),
    none,
  );

  const { manager: token } = await joinTokens(first);
  const { securityConfig } = await enrolNode(t, first, token);
  assert.equal(securityConfig.identity.role, NodeRole.MANAGER);
  assert.equal(securityConfig.rootCaPem, old + root.certificatePem, 'it trusts both');
  await first.securityConfig.renew();
  for (const { certificatePem, issuer } of [securityConfig, first.securityConfig]) {
    assert(root.signed(certificatePem), 'by the external root');
    assert.equal(certificatePem.match(/BEGIN CERT/g)?.length, 2, 'with the cross-signed root');
    const { publicKey } = new X509Certificate(root.certificatePem);
    assert.deepEqual(issuer?.publicKey, publicKey.export({ type: 'spki', format: 'der' }));
  }
  // It shows the signer who it is, and renews with what it got from it.
  assert(signer.clients.every((name) => name === first.securityConfig.identity.nodeId));
  await securityConfig.renew();
});
