import { X509Certificate } from 'node:crypto';
import { SwarmError } from '../../common/errors.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import type { CertificateIdentity } from '../types.ts';

export const WORKER_OU = 'swarm-worker';
export const MANAGER_OU = 'swarm-manager';

/** The organisational unit, and DNS name, that a certificate of `role` bears. */
export function roleToOu(role: NodeRole): string {
  return role === NodeRole.MANAGER ? MANAGER_OU : WORKER_OU;
}

/** The parts of a certificate's subject that say who its bearer is. */
export interface Subject {
  readonly CN?: unknown;
  readonly OU?: unknown;
  readonly O?: unknown;
}

/** Undefined unless the subject is that of a node: CN, a known OU, and O, each exactly once. */
export function identityOfSubject(subject: Subject | undefined): CertificateIdentity | undefined {
  const { CN: nodeId, OU: unit, O: clusterId } = subject ?? {};
  if (!isFilled(nodeId) || !isFilled(clusterId)) return undefined;
  if (unit === MANAGER_OU) return { nodeId, role: NodeRole.MANAGER, clusterId };
  if (unit === WORKER_OU) return { nodeId, role: NodeRole.WORKER, clusterId };
  return undefined;
}

/** Throws SWM_INVALID_ARGUMENT when the certificate is not a node's. */
export function identityOfCertificate(pem: string): CertificateIdentity {
  const certificate = new X509Certificate(pem);
  const identity = identityOfSubject(certificate.toLegacyObject().subject as unknown as Subject);
  if (identity) return identity;
  throw new SwarmError(
    'SWM_INVALID_ARGUMENT',
    `the certificate of ${JSON.stringify(certificate.subject)} is not that of a swarm node`,
  );
}

// Node gives an array when an attribute occurs more than once.
function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0;
}
