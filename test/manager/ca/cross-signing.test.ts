import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { signingRootOf, trustBundleOf } from '../../../manager/ca/cluster-root.ts';
import { issuerOfChain, issuerOfRoot } from '../../../manager/ca/issuer.ts';
import { createRootCa, RootCa } from '../../../manager/ca/root-ca.ts';
import { finishedRotation } from '../../../manager/ca/root-rotation.ts';
import { createCertificateRequest, x509 } from '../../../manager/ca/x509.ts';
import { RootCA } from '../../../proto/gen/swarm/objects.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { seededRandom } from '../../support/seeded-random.ts';

/** What a node has at some time in a rotation. */
interface Holder {
  readonly name: string;
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly rootCaPem: string;
}

const HOUR = 3_600_000;

async function newNode(name: string, rootCa: RootCA): Promise<Holder> {
  const { certificatePem, keyPem, intermediatePem } = signingRootOf(rootCa);
  const { csrPem, privateKeyPem } = await createCertificateRequest();
  const leaf = await new RootCa(certificatePem, keyPem).issue({
    csrPem,
    identity: { nodeId: 'node1', role: NodeRole.MANAGER, clusterId: 'cluster1' },
    validityMs: HOUR,
    now: Date.now(),
  });
  const rootCaPem = trustBundleOf(rootCa).toString();
  return { name, certificatePem: leaf + intermediatePem, keyPem: privateKeyPem, rootCaPem };
}

async function rotating(current: RootCa, next: RootCa): Promise<RootCA> {
  return RootCA.fromPartial({
    caCert: Buffer.from(current.certificatePem),
    caKey: Buffer.from(current.keyPem ?? ''),
    rootRotation: {
      caCert: Buffer.from(next.certificatePem),
      caKey: Buffer.from(next.keyPem ?? ''),
      crossSignedCaCert: Buffer.from(await current.crossSign(next.certificatePem, Date.now())),
    },
  });
}

/** A handshake in which each side must prove itself to the other. Throws what either says. */
async function shakeHands(server: Holder, client: Holder): Promise<void> {
  const listener = createServer({
    cert: server.certificatePem,
    key: server.keyPem,
    ca: server.rootCaPem,
    requestCert: true,
    rejectUnauthorized: true,
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const refused = once(listener, 'tlsClientError').then(([error]) => Promise.reject(error));
  refused.catch(() => undefined);
  const socket = connect({
    port: (listener.address() as AddressInfo).port,
    host: '127.0.0.1',
    cert: client.certificatePem,
    key: client.keyPem,
    ca: client.rootCaPem,
    servername: 'swarm-manager',
  });
  try {
    const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
    await Promise.race([Promise.all([accepted, once(socket, 'secureConnect')]), refused]);
    (await accepted)[0].destroy();
  } finally {
    socket.destroy();
    listener.close();
  }
}

async function allPairs(holders: readonly Holder[]): Promise<void> {
  for (const server of holders) {
    for (const client of holders) {
      await shakeHands(server, client).catch((error: unknown) => {
        assert.fail(`${client.name} to ${server.name}: ${error}`);
      });
    }
  }
}

function userRoot(kind: 'rsa' | 'p384'): Promise<RootCa> {
  const pair =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-384' });
  return userRootOf(kind, pair.privateKey.export({ type: 'pkcs8', format: 'der' }));
}

/** As people make them with openssl: another name, no key identifier as ours. */
async function userRootOf(kind: 'rsa' | 'p384', der: Buffer): Promise<RootCa> {
  const algorithm =
    kind === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  const privateKey = await crypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
  const jwk = await crypto.subtle.exportKey('jwk', privateKey);
  const { kty, n, e, crv, x, y } = jwk;
  const open = kind === 'rsa' ? { kty, n, e } : { kty, crv, x, y };
  const publicKey = await crypto.subtle.importKey('jwk', open, algorithm, true, ['verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=Example ${kind} root, O=Example`,
    keys: { privateKey, publicKey },
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + 24 * 1000 * HOUR),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectKeyIdentifierExtension(kind === 'rsa' ? '01020304' : '0a0b0c0d'),
    ],
  });
  const keyPem = x509.PemConverter.encode(der, 'PRIVATE KEY');
  return new RootCa(`${certificate.toString('pem')}\n`, keyPem);
}

for (const [title, makeOld, makeNext] of [
  ['a root of the same name', () => createRootCa(Date.now()), () => createRootCa(Date.now())],
  ['an RSA root of the user', () => createRootCa(Date.now()), () => userRoot('rsa')],
  ['the root of a user to another', () => userRoot('rsa'), () => userRoot('p384')],
] as const) {
  test(`all nodes understand each other in all phases of a rotation to ${title}`, async () => {
    const [old, next] = [await makeOld(), await makeNext()];
    const before = RootCA.fromPartial({
      caCert: Buffer.from(old.certificatePem),
      caKey: Buffer.from(old.keyPem ?? ''),
    });
    const during = await rotating(old, next);
    const after = finishedRotation(during, seededRandom(1));
    const untouched = await newNode('not told yet', before);
    const bundled = {
      ...untouched,
      name: 'told of the root',
      rootCaPem: trustBundleOf(during).toString(),
    };
    const renewed = await newNode('renewed', during);
    const behind = {
      ...renewed,
      name: 'renewed, trusts the old root alone',
      rootCaPem: old.certificatePem,
    };
    // Before the last one has renewed.
    await allPairs([untouched, bundled, renewed, behind]);
    // Then the old root goes, from one node after the other.
    const done = { ...renewed, name: 'done', rootCaPem: trustBundleOf(after).toString() };
    assert.equal(done.rootCaPem, next.certificatePem);
    await allPairs([renewed, behind, done]);
    const joined = await newNode('joined after', after);
    await allPairs([renewed, done, joined]);
    // And who never renewed is out.
    await assert.rejects(shakeHands(done, untouched));
    await assert.rejects(shakeHands(untouched, joined));
  });
}

test('a rotation that replaces another leaves nobody behind', async () => {
  const [old, first, second] = await Promise.all([1, 2, 3].map(() => createRootCa(Date.now())));
  assert(old && first && second);
  const untouched = await newNode('not told yet', await rotating(old, old));
  const halfway = await newNode('of the first rotation', await rotating(old, first));
  const replaced = await rotating(old, second);
  const renewed = await newNode('of the second rotation', replaced);
  const told = { ...halfway, rootCaPem: trustBundleOf(replaced).toString() };
  await allPairs([untouched, halfway, told, renewed]);
});

test('the issuer of a certificate is found in its chain and among the roots', async () => {
  const [old, next] = await Promise.all([createRootCa(Date.now()), userRoot('p384')]);
  const node = await newNode('renewed', await rotating(old, next));
  const wanted = issuerOfRoot(next.certificatePem);
  assert.deepEqual(issuerOfChain(node.certificatePem, old.certificatePem), wanted);
  assert.deepEqual(issuerOfChain(node.certificatePem, node.rootCaPem), wanted);
  const [leaf = ''] = node.certificatePem.split(/(?<=END CERTIFICATE-----\n)/);
  assert.equal(issuerOfChain(leaf, old.certificatePem), undefined);
});

test('a cross-signed root ends no later than the one that vouches for it', async () => {
  const old = await userRoot('p384');
  const next = await createRootCa(Date.now());
  const crossed = new X509Certificate(await old.crossSign(next.certificatePem, Date.now()));
  const end = (pem: string) => Date.parse(new X509Certificate(pem).validTo);
  assert(end(old.certificatePem) < end(next.certificatePem));
  assert.equal(Date.parse(crossed.validTo), end(old.certificatePem));
});

test('a root without its key vouches for nobody', async () => {
  const [old, next] = await Promise.all([createRootCa(Date.now()), createRootCa(Date.now())]);
  const keyless = new RootCa(old.certificatePem);
  await assert.rejects(async () => keyless.crossSign(next.certificatePem, Date.now()), {
    code: 'SWM_FAILED_PRECONDITION',
  });
});
