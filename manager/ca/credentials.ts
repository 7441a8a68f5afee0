import { type ChannelCredentials, experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { NodeRole } from '../../proto/gen/swarm/types.ts';
import type { CertificateIdentity } from '../types.ts';
import { identityOfSubject, roleToOu, type Subject } from './identity.ts';
import type { NodeFiles } from './state-files.ts';

type CaListener = experimental.CaCertificateUpdateListener;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/**
 * Feeds grpc-js the current certificate, key and roots. Listeners are swapped to new material without
 * being restarted; connections that stand keep what they were made with.
 */
export class CredentialSource implements experimental.CertificateProvider {
  #files: NodeFiles;
  readonly #caListeners = new Set<CaListener>();
  readonly #identityListeners = new Set<IdentityListener>();

  constructor(files: NodeFiles) {
    this.#files = files;
  }

  update(files: NodeFiles): void {
    this.#files = files;
    for (const listener of this.#caListeners) listener(this.#ca());
    for (const listener of this.#identityListeners) listener(this.#identity());
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#caListeners.add(listener);
    // Not at once: grpc-js registers its own side of the listener after this call.
    queueMicrotask(() => listener(this.#ca()));
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#caListeners.delete(listener);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.add(listener);
    queueMicrotask(() => listener(this.#identity()));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.delete(listener);
  }

  #ca() {
    return { caCertificate: Buffer.from(this.#files.rootCaPem) };
  }

  #identity() {
    const { certificatePem, keyPem } = this.#files;
    return { certificate: Buffer.from(certificatePem), privateKey: Buffer.from(keyPem) };
  }
}

/**
 * Mutual TLS in which a client without a (trusted) certificate is let in as nobody: grpc-js then
 * gives an empty auth context, and the authorisation of each method decides.
 */
export function createServerCredentials(source: CredentialSource): ServerCredentials {
  // Here `false` is "request a certificate but do not demand one".
  return experimental.createCertificateProviderServerCredentials(source, source, false);
}

/** What a client wants of a server's certificate; '' where any will do. */
export interface WantedPeer {
  readonly role: NodeRole;
  /** '' before this node knows which cluster it is in. */
  readonly clusterId: string;
  readonly nodeId: string;
}

/** TLS with this node's certificate, to a server that is `wanted`. */
export function createClientCredentials(
  source: CredentialSource,
  wanted: WantedPeer,
): ChannelCredentials {
  const credentials = experimental.createCertificateProviderChannelCredentials(source, source, {
    checkServerIdentity: (_host, peer) =>
      checkPeer(identityOfSubject(peer.subject as Subject), wanted),
  });
  return withServerName(credentials, roleToOu(wanted.role));
}

/**
 * Makes every connection ask for `name` in its TLS hello. The host of the address, which grpc-js
 * would take, may be an IP, and Node warns about those; and it is not how nodes are known.
 */
export function withServerName<C extends ChannelCredentials>(credentials: C, name: string): C {
  const connector = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (target, options, call) =>
    connector(target, { ...options, 'grpc.ssl_target_name_override': name }, call);
  return credentials;
}

/**
 * What is wrong with a server that shows `identity`, if anything. Nodes are known by their
 * certificates, not by host names or addresses.
 */
export function checkPeer(
  identity: CertificateIdentity | undefined,
  { role, clusterId, nodeId }: WantedPeer,
): Error | undefined {
  if (!identity) return new Error('the server has no certificate of a swarm node');
  if (identity.role !== role) {
    return new Error(
      `the server was expected to be a ${roleToOu(role)} and is a ${roleToOu(identity.role)}`,
    );
  }
  if (clusterId !== '' && identity.clusterId !== clusterId) {
    return new Error(
      `the server was expected to be of cluster ${clusterId} and is of ${identity.clusterId}`,
    );
  }
  if (nodeId !== '' && identity.nodeId !== nodeId) {
    return new Error(`the server was expected to be node ${nodeId} and is ${identity.nodeId}`);
  }
  return undefined;
}
