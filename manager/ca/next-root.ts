import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../common/clock.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import type { Cluster, RootCA, RootRotation } from '../../proto/gen/swarm/objects.ts';
import type { CAConfig, ClusterSpec } from '../../proto/gen/swarm/specs.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import { externalCasFor, signingRootOf } from './cluster-root.ts';
import { ExternalCa, type ExternalCaComponents } from './external-ca.ts';
import { createRootCa, RootCa } from './root-ca.ts';
import {
  createCertificateRequest,
  importSigningKey,
  normalizePem,
  requestOfRoot,
  splitPemBundle,
} from './x509.ts';

const MIN_ROOT_VALIDITY_MS = 365 * 24 * 3_600_000;

export interface NextRootComponents {
  readonly clock: Clock;
  readonly external: ExternalCaComponents;
}

/**
 * The root of `cluster` once it has `spec`; undefined when that asks for nothing new. A new root
 * begins a rotation, in place of one that may be under way; the current root, given again, ends it.
 * Throws SWM_INVALID_ARGUMENT for a root that cannot be used, and SWM_FAILED_PRECONDITION where
 * nobody could sign with it.
 */
export async function nextRootCa(
  components: NextRootComponents,
  cluster: Cluster,
  spec: ClusterSpec,
): Promise<RootCA | undefined> {
  const { rootCa } = cluster;
  const config = spec.caConfig;
  if (!rootCa || !config) return undefined;
  const next = { ...cluster, spec };
  const lastForcedRotation = config.forceRotate || rootCa.lastForcedRotation;
  if (config.signingCaKey.length > 0 && config.signingCaCert.length === 0) {
    throw invalid('if a signing CA key is provided, the signing CA cert must also be provided');
  }
  if (config.signingCaCert.length === 0) {
    if (lastForcedRotation === rootCa.lastForcedRotation) {
      await requireSigner(components, cluster, next);
      return undefined;
    }
    const root = await createRootCa(components.clock.now());
    return { ...(await begun(components, next, root)), lastForcedRotation };
  }
  const root = await checkedRoot(components, next, config);
  return { ...(await withRoot(components, next, root)), lastForcedRotation };
}

async function withRoot(
  components: NextRootComponents,
  cluster: Cluster,
  root: RootCa,
): Promise<RootCA> {
  const rootCa = cluster.rootCa as RootCA;
  const caKey = Buffer.from(root.keyPem ?? '');
  const isRoot = (pem: Buffer | undefined) =>
    normalizePem(pem?.toString() ?? '') === root.certificatePem;
  if (isRoot(rootCa.caCert)) return { ...rootCa, caKey, rootRotation: undefined };
  const { rootRotation } = rootCa;
  if (rootRotation && isRoot(rootRotation.caCert)) {
    return { ...rootCa, rootRotation: { ...rootRotation, caKey } };
  }
  return begun(components, cluster, root);
}

/** A rotation from the current root, which every node trusts, whatever was under way. */
async function begun(
  components: NextRootComponents,
  cluster: Cluster,
  next: RootCa,
): Promise<RootCA> {
  const rootRotation: RootRotation = {
    caCert: Buffer.from(next.certificatePem),
    caKey: Buffer.from(next.keyPem ?? ''),
    crossSignedCaCert: Buffer.from(await crossSigned(components, cluster, next)),
  };
  return { ...(cluster.rootCa as RootCA), rootRotation };
}

async function crossSigned(
  { clock, external }: NextRootComponents,
  cluster: Cluster,
  next: RootCa,
): Promise<string> {
  const { caCert, caKey } = cluster.rootCa as RootCA;
  const rootPem = caCert.toString();
  if (caKey.length > 0) {
    return new RootCa(rootPem, caKey.toString()).crossSign(next.certificatePem, clock.now());
  }
  if (next.keyPem === undefined) {
    throw refused('rotating from one external CA to a different external CA is not supported', {
      hint: 'Rotate to a root of the swarm first, with "swarmctl ca --rotate", and from that to the other.',
    });
  }
  const urls = externalCasFor(cluster, rootPem).map(({ url }) => url);
  if (urls.length === 0) throw noExternalCa('current');
  const csrPem = await requestOfRoot(next.certificatePem, next.keyPem);
  const ca = new ExternalCa({ clock, ...external }, { urls, rootPem });
  return ca.crossSign(csrPem, next.certificatePem);
}

async function checkedRoot(
  components: NextRootComponents,
  cluster: Cluster,
  { signingCaCert, signingCaKey }: CAConfig,
): Promise<RootCa> {
  const certificatePem = normalizePem(signingCaCert.toString());
  const certificate = parseRoot(certificatePem);
  if (Date.parse(certificate.validTo) < components.clock.now() + MIN_ROOT_VALIDITY_MS) {
    throw invalid(`CA certificate expires too soon: at ${certificate.validTo}, within a year`);
  }
  const root = new RootCa(certificatePem, await checkedKey(certificate, signingCaKey.toString()));
  if (root.keyPem === undefined) await requireExternal(components, cluster, root, 'desired');
  return root;
}

function parseRoot(pem: string): X509Certificate {
  const [first, second] = splitPemBundle(pem);
  if (second) throw invalid('the desired CA certificate cannot contain multiple certificates');
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(first ?? '');
  } catch {
    throw invalid('could not parse the desired CA certificate');
  }
  if (!certificate.ca) throw invalid('the desired CA certificate is not that of a CA');
  if (!certificate.checkIssued(certificate) || !certificate.verify(certificate.publicKey)) {
    throw invalid(
      `the desired CA certificate was issued by ${certificate.issuer}; it must be a root, which signs itself`,
    );
  }
  return certificate;
}

/** PKCS #8; undefined without a key. */
async function checkedKey(root: X509Certificate, keyPem: string): Promise<string | undefined> {
  if (keyPem === '') return undefined;
  await importSigningKey(keyPem);
  const key = createPrivateKey(keyPem);
  if (!root.checkPrivateKey(key)) {
    throw invalid('the signing CA key is not that of the signing CA certificate');
  }
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * The swarm must be able to go on signing when `after` has taken the place of `before`. An external CA
 * is asked even where the swarm has a key, so one that cannot sign would keep everybody out.
 */
async function requireSigner(
  components: NextRootComponents,
  before: Cluster,
  after: Cluster,
): Promise<void> {
  const { certificatePem, keyPem } = signingRootOf(after.rootCa);
  if (certificatePem === '') return;
  const [old, next] = [before, after].map((cluster) => externalCasFor(cluster, certificatePem));
  if (isDeepStrictEqual(old, next) || (next?.length === 0 && keyPem !== undefined)) return;
  const which = after.rootCa?.rootRotation ? 'next' : 'current';
  await requireExternal(components, after, new RootCa(certificatePem), which);
}

/** Has an external CA sign for a key that is thrown away: nothing less shows that it can. */
async function requireExternal(
  { clock, external }: NextRootComponents,
  cluster: Cluster,
  { certificatePem: rootPem }: RootCa,
  which: 'current' | 'next' | 'desired',
): Promise<void> {
  const urls = externalCasFor(cluster, rootPem).map(({ url }) => url);
  if (urls.length === 0) throw noExternalCa(which);
  const { csrPem } = await createCertificateRequest();
  const identity = { nodeId: 'probe', role: NodeRole.WORKER, clusterId: cluster.id };
  try {
    await new ExternalCa({ clock, ...external }, { urls, rootPem }).issue(csrPem, identity);
  } catch (error) {
    throw noExternalCa(which, errorMessage(error));
  }
}

function noExternalCa(which: string, reason?: string): SwarmError {
  const message = `there must be at least one valid, reachable external CA corresponding to the ${which} CA certificate`;
  return refused(reason === undefined ? message : `${message}: ${reason}`, {
    hint: 'Name it with --external-ca protocol=cfssl,url=https://HOST/api/v1/cfssl/sign,cacert=FILE.',
  });
}

function invalid(message: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message);
}

function refused(message: string, init: { hint?: string } = {}): SwarmError {
  return new SwarmError('SWM_FAILED_PRECONDITION', message, init);
}
