import type { Cluster, RootCA } from '../../proto/gen/swarm/objects.ts';
import type { ExternalCA } from '../../proto/gen/swarm/specs.ts';
import { type Issuer, issuerOfRoot } from './issuer.ts';
import { normalizePem } from './x509.ts';

/** What signs the certificates of nodes now. */
export interface SigningRoot {
  /** PEM of the one root. */
  readonly certificatePem: string;
  /** PEM; undefined when only an external CA has the key. */
  readonly keyPem: string | undefined;
  /**
   * PEM of the same root signed by the one before, which goes along with every certificate while
   * the root is being rotated; '' otherwise.
   */
  readonly intermediatePem: string;
}

/** The root that all certificates are to come from: the next one, while there is a rotation. */
export function signingRootOf(rootCa: RootCA | undefined): SigningRoot {
  const rotation = rootCa?.rootRotation;
  const { caCert, caKey } = rotation ?? rootCa ?? {};
  return {
    certificatePem: caCert?.toString() ?? '',
    keyPem: caKey?.length ? caKey.toString() : undefined,
    intermediatePem: rotation?.crossSignedCaCert.toString() ?? '',
  };
}

/** PEM of the roots that every node is to trust; the one that join tokens name comes first. */
export function trustBundleOf(rootCa: RootCA | undefined): Buffer {
  const next = rootCa?.rootRotation?.caCert ?? Buffer.alloc(0);
  return Buffer.concat([rootCa?.caCert ?? Buffer.alloc(0), next]);
}

/** The external CAs that sign for the root `rootPem`; one that names no root signs for the current. */
export function externalCasFor(cluster: Cluster, rootPem: string): readonly ExternalCA[] {
  const wanted = normalizePem(rootPem);
  const current = cluster.rootCa?.caCert.toString() ?? '';
  return (cluster.spec?.caConfig?.externalCas ?? []).filter(
    ({ caCert }) => normalizePem(caCert.toString() || current) === wanted,
  );
}

/** The issuer that the certificates of all nodes are to have. */
export function wantedIssuer(rootCa: RootCA | undefined): Issuer | undefined {
  const { certificatePem } = signingRootOf(rootCa);
  if (certificatePem === '') return undefined;
  // Parsing takes a millisecond, and this is asked for often: the last one is kept.
  if (known?.pem !== certificatePem) {
    known = { pem: certificatePem, issuer: issuerOfRoot(certificatePem) };
  }
  return known.issuer;
}

let known: { readonly pem: string; readonly issuer: Issuer } | undefined;
