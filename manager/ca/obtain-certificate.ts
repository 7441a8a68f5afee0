import { createPublicKey, X509Certificate } from 'node:crypto';
import type { Client } from '@grpc/grpc-js';
import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { NodeCAService, type NodeCertificateStatusResponse } from '../../proto/gen/swarm/ca.ts';
import { NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import { IssuanceState } from '../../proto/gen/swarm/types.ts';
import { callUnary } from '../rpc.ts';
import { identityOfCertificate } from './identity.ts';
import { RootCa } from './root-ca.ts';
import type { NodeFiles } from './state-files.ts';
import { type CertificateRequest, createCertificateRequest } from './x509.ts';

const ISSUE_TIMEOUT_MS = 10_000;
const STATUS_TIMEOUT_MS = 10_000;

export interface ObtainOptions {
  readonly clock: Pick<Clock, 'setTimer'>;
  /** Empty on renewal, when the client's certificate speaks for it. */
  readonly token?: string;
  readonly availability?: NodeSpec_Availability;
  /** Of the key that is to be certified, where it was asked for before; a new one by default. */
  readonly request?: CertificateRequest;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Has the manager behind `client` sign a key, and checks what comes back: signed by a root that
 * we trust (or that the manager, verified by it, says to trust now), for our key, for the node that
 * was announced.
 */
export async function obtainCertificate(
  client: Client,
  rootCaPem: string,
  options: ObtainOptions,
): Promise<NodeFiles> {
  const { csrPem, privateKeyPem } = options.request ?? (await createCertificateRequest());
  const { clock, signal, token = '', availability = NodeSpec_Availability.ACTIVE } = options;
  const issued = await callUnary(
    client,
    NodeCAService.issueNodeCertificate,
    { csr: Buffer.from(csrPem), token, availability },
    { clock, timeoutMs: ISSUE_TIMEOUT_MS, signal },
  );
  const { nodeId } = issued.response;
  const status = await callUnary(
    client,
    NodeCAService.nodeCertificateStatus,
    { nodeId },
    { clock, timeoutMs: STATUS_TIMEOUT_MS, signal },
  );
  const certificatePem = readIssued(status.response);
  const roots = status.response.rootCaBundle.toString() || rootCaPem;
  const files = { rootCaPem: roots, certificatePem, keyPem: privateKeyPem };
  checkIssued(files, nodeId);
  return files;
}

function readIssued(response: NodeCertificateStatusResponse): string {
  const { status, certificate } = response;
  // A node that is told to renew anew has a certificate nevertheless.
  const isIssued = status?.state === IssuanceState.ISSUED || status?.state === IssuanceState.ROTATE;
  if (isIssued && certificate) {
    return certificate.certificate.toString();
  }
  throw new SwarmError(
    'SWM_INTERNAL',
    `the manager did not issue a certificate: ${status?.err || 'it gave no reason'}`,
  );
}

/** Throws SWM_INTERNAL when the certificate is not the one asked for. */
function checkIssued(files: NodeFiles, nodeId: string): void {
  const refuse = (found: string) => {
    throw new SwarmError('SWM_INTERNAL', `the certificate that the manager issued ${found}`);
  };
  const certificate = new X509Certificate(files.certificatePem);
  if (!new RootCa(files.rootCaPem).signed(files.certificatePem)) {
    refuse('is not signed by the root CA of the cluster');
  }
  const ours = createPublicKey(files.keyPem);
  if (!certificate.publicKey.equals(ours)) refuse('is for another key than the requested one');
  const found = identityOfCertificate(files.certificatePem).nodeId;
  if (found !== nodeId) refuse(`is of node ${found}, not of node ${nodeId}`);
}
