import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { identityOfCertificate } from '../../../manager/ca/identity.ts';
import { BACKDATE_MS, createRootCa, RootCa } from '../../../manager/ca/root-ca.ts';
import {
  createCertificateRequest,
  generateKeyPair,
  SIGNING_ALGORITHM,
  x509,
} from '../../../manager/ca/x509.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';

const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const identity = { nodeId: 'node1', role: NodeRole.WORKER, clusterId: 'cluster1' };

test('a root is self-signed P-256 named swarm-ca for 20 years', async () => {
  const root = new X509Certificate((await createRootCa(NOW)).certificatePem);
  assert.equal(root.subject, 'CN=swarm-ca');
  assert(root.ca && root.checkIssued(root) && root.verify(root.publicKey));
  assert.equal(root.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.equal(Date.parse(root.validTo) - NOW, 630_720_000_000);
});

for (const role of [NodeRole.WORKER, NodeRole.MANAGER]) {
  test(`a certificate of a ${NodeRole[role]} says who its bearer is`, async () => {
    const root = await createRootCa(NOW);
    const { csrPem } = await createCertificateRequest();
    const wanted = { ...identity, role };
    const pem = await root.issue({ csrPem, identity: wanted, validityMs: HOUR, now: NOW });
    assert.deepEqual(identityOfCertificate(pem), wanted);
    assert(root.signed(pem));
    const certificate = new X509Certificate(pem);
    assert.equal(Date.parse(certificate.validFrom), NOW - BACKDATE_MS);
    assert.equal(Date.parse(certificate.validTo), NOW + HOUR);
    const unit = role === NodeRole.MANAGER ? 'swarm-manager' : 'swarm-worker';
    assert.equal(certificate.subjectAltName, `DNS:${unit}, DNS:node1`);
    assert(!certificate.ca);
  });
}

test('another root has not signed it', async () => {
  const [root, other] = await Promise.all([createRootCa(NOW), createRootCa(NOW)]);
  const { csrPem } = await createCertificateRequest();
  const pem = await root.issue({ csrPem, identity, validityMs: HOUR, now: NOW });
  assert(!other.signed(pem));
  assert(new RootCa(other.certificatePem + root.certificatePem).signed(pem));
});

test('what a request says of its bearer is ignored', async () => {
  const root = await createRootCa(NOW);
  const { keys } = await generateKeyPair();
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['someone-else'] }, { OU: ['swarm-manager'] }, { O: ['cluster1'] }],
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, 5, true)],
  });
  const csrPem = csr.toString('pem');
  const pem = await root.issue({ csrPem, identity, validityMs: HOUR, now: NOW });
  assert.deepEqual(identityOfCertificate(pem), identity);
  assert(!new X509Certificate(pem).ca);
});

test('a request that is damaged or not signed by its own key is refused', async () => {
  const root = await createRootCa(NOW);
  const refusal = {
    code: 'SWM_INVALID_ARGUMENT',
    message: 'the certificate signing request is malformed',
  };
  const issue = (csrPem: string) => root.issue({ csrPem, identity, validityMs: HOUR, now: NOW });
  await assert.rejects(issue('nonsense'), refusal);
  await assert.rejects(issue(''), refusal);
  const { csrPem } = await createCertificateRequest();
  const der = Buffer.from(x509.PemConverter.decodeFirst(csrPem));
  der[der.length - 1] = (der[der.length - 1] as number) ^ 1;
  await assert.rejects(issue(x509.PemConverter.encode(der, 'CERTIFICATE REQUEST')), refusal);
});

test('a node without the key of the root cannot sign', async () => {
  const root = new RootCa((await createRootCa(NOW)).certificatePem);
  const { csrPem } = await createCertificateRequest();
  await assert.rejects(async () => root.issue({ csrPem, identity, validityMs: HOUR, now: NOW }), {
    code: 'SWM_FAILED_PRECONDITION',
  });
});

test('a bundle without a certificate is no root', () => {
  assert.throws(() => new RootCa('hello'), { code: 'SWM_INVALID_ARGUMENT' });
});
