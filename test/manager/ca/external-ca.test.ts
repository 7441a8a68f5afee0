import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../../common/clock.ts';
import { ExternalCa } from '../../../manager/ca/external-ca.ts';
import { httpsPost } from '../../../manager/ca/https-post.ts';
import { identityOfCertificate } from '../../../manager/ca/identity.ts';
import { createRootCa, type RootCa } from '../../../manager/ca/root-ca.ts';
import type { NodeFiles } from '../../../manager/ca/state-files.ts';
import { createCertificateRequest, requestOfRoot } from '../../../manager/ca/x509.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { CfsslSigner, failure, success } from '../../support/cfssl-signer.ts';
import { eventually } from '../../support/eventually.ts';
import { deafServer, LOOPBACK } from '../../support/loopback.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const identity = { nodeId: 'node1', role: NodeRole.WORKER, clusterId: 'cluster1' };
const manager = { nodeId: 'manager1', role: NodeRole.MANAGER, clusterId: 'cluster1' };

interface Bench {
  readonly root: RootCa;
  readonly signer: CfsslSigner;
  readonly tls: NodeFiles;
  readonly csrPem: string;
  ca(...urls: string[]): ExternalCa;
}

async function bench(t: TestContext, clock: Clock = systemClock): Promise<Bench> {
  const root = await createRootCa(Date.now());
  const signer = await CfsslSigner.start(t, root);
  const own = await createCertificateRequest();
  const certificatePem = await root.issue({
    csrPem: own.csrPem,
    identity: manager,
    validityMs: 3_600_000,
    now: Date.now(),
  });
  const tls = { rootCaPem: root.certificatePem, certificatePem, keyPem: own.privateKeyPem };
  const components = { clock, post: httpsPost, tls: () => tls };
  const ca = (...urls: string[]) =>
    new ExternalCa(components, { urls, rootPem: root.certificatePem });
  return { root, signer, tls, ca, csrPem: (await createCertificateRequest()).csrPem };
}

test('a node certificate is asked for as CFSSL has it, over mutual TLS', async (t) => {
  const { root, signer, ca, csrPem } = await bench(t);
  const pem = await ca(signer.url).issue(csrPem, identity);
  assert.deepEqual(identityOfCertificate(pem), identity);
  assert(root.signed(pem));
  assert.equal(new X509Certificate(pem).subjectAltName, 'DNS:swarm-worker, DNS:node1');
  assert.deepEqual(signer.requests, [
    {
      certificate_request: csrPem,
      hosts: ['swarm-worker', 'node1'],
      subject: { CN: 'node1', names: [{ OU: 'swarm-worker', O: 'cluster1' }] },
    },
  ]);
  assert.deepEqual(signer.clients, ['manager1']);
});

test('several are tried in their order', async (t) => {
  const { signer, ca, csrPem } = await bench(t);
  const dead = `https://${LOOPBACK}:1/api/v1/cfssl/sign`;
  await ca(dead, signer.url, dead).issue(csrPem, identity);
  assert.equal(signer.requests.length, 1);
});

test('when none signs, each reason is told', async (t) => {
  const { signer, ca, csrPem } = await bench(t);
  const dead = `https://${LOOPBACK}:1/sign`;
  signer.override = () => ({ status: 400, body: failure('policy does not allow it') });
  await assert.rejects(ca(dead, signer.url).issue(csrPem, identity), (error: Error) => {
    assert.match(error.message, /^no external CA signed the certificate: /);
    assert.match(error.message, /:1\/sign: connect ECONNREFUSED/);
    assert.match(error.message, /cfssl\/sign: HTTP status 400: policy does not allow it$/);
    return true;
  });
});

test('what is no sound answer is not used', async (t) => {
  const { signer, ca, csrPem, root } = await bench(t);
  const stranger = await createRootCa(Date.now());
  const other = await createCertificateRequest();
  const request = { hosts: ['x'], subject: { CN: 'node1', names: [] } };
  const names = [{ OU: 'swarm-worker', O: 'cluster1' }];
  const sound = { certificate_request: csrPem, hosts: [], subject: { CN: 'node1', names } };
  const issue = { csrPem, identity, validityMs: 3_600_000, now: Date.now() };
  const cases: [unknown, RegExp][] = [
    ['<html>', /HTTP status 200, and no JSON in the answer/],
    [{}, /it gave no certificate/],
    [null, /it gave no certificate/],
    [{ success: false, result: { certificate: await root.issue(issue) } }, /no certificate/],
    [success('nonsense'), /it gave no certificate/],
    [success(await stranger.issue(issue)), /is of the CA CN=swarm-ca, and not signed by the swarm/],
    [success(await root.issue({ ...issue, csrPem: other.csrPem })), /signed another key than/],
    [
      success(await signer.sign({ ...sound, subject: { CN: 'node2', names } })),
      /signed for CN=node2.*asked to sign for CN=node1, OU=swarm-worker, O=cluster1/,
    ],
    [
      success(
        await signer.sign({
          ...sound,
          subject: { CN: 'node1', names: [{ OU: 'swarm-manager', O: 'cluster1' }] },
        }),
      ),
      /OU=swarm-manager/,
    ],
    [success(await signer.sign({ ...sound, ...request })), /is not that of a swarm node/],
  ];
  for (const [body, message] of cases) {
    signer.override = () => ({ body });
    await assert.rejects(ca(signer.url).issue(csrPem, identity), {
      code: 'SWM_UNAVAILABLE',
      message,
    });
  }
});

test('a server of a root that we do not know is not asked', async (t) => {
  const { tls, csrPem, signer, root } = await bench(t);
  const stranger = await createRootCa(Date.now());
  const foreign = await CfsslSigner.start(t, stranger, root.certificatePem);
  const components = { clock: systemClock, post: httpsPost, tls: () => tls };
  const init = { urls: [foreign.url], rootPem: root.certificatePem };
  await assert.rejects(new ExternalCa(components, init).issue(csrPem, identity), {
    message: /self-signed certificate|unable to (verify|get)|signature failure/,
  });
  assert.deepEqual([foreign.requests, signer.requests], [[], []]);
});

test('one that does not answer is waited for 4 s, and the next one is asked', async (t) => {
  const clock = new VirtualClock();
  const { signer, ca, csrPem } = await bench(t, clock);
  let asked = 0;
  const deaf = await deafServer(t, () => asked++);
  const url = `https://${deaf}/api/v1/cfssl/sign`;
  const answer = ca(url, signer.url).issue(csrPem, identity);
  await eventually(() => assert.equal(asked, 1));
  await clock.advance(3_999);
  assert.deepEqual(signer.requests, []);
  await clock.advance(1);
  await answer;
  assert.equal(clock.pending, 0);

  const failure = assert.rejects(ca(url).issue(csrPem, identity), {
    message: `no external CA signed the certificate: ${url}: no answer within 4 s`,
  });
  await clock.advance(4_000);
  await failure;
});

test('it signs a root of ours, if it has a profile for that', async (t) => {
  const { signer, ca, root } = await bench(t);
  const next = await createRootCa(Date.now());
  const csrPem = await requestOfRoot(next.certificatePem, next.keyPem ?? '');
  const crossed = new X509Certificate(await ca(signer.url).crossSign(csrPem, next.certificatePem));
  const wanted = new X509Certificate(next.certificatePem);
  assert(crossed.ca && crossed.publicKey.equals(wanted.publicKey));
  assert.equal(crossed.subject, wanted.subject);
  assert(root.signed(crossed.toString()));
  assert.equal(signer.requests[0]?.profile, 'CA');
  signer.override = async ({ profile: _, ...request }) => ({
    body: success(await signer.sign(request)),
  });
  await assert.rejects(ca(signer.url).crossSign(csrPem, next.certificatePem), {
    message: /must sign nothing; does it have a profile "CA"\?/,
  });
});
