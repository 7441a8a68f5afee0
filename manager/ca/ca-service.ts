import type { Clock } from '../../common/clock.ts';
import { durationMs } from '../../common/duration.ts';
import { SwarmError } from '../../common/errors.ts';
import { unaryHandler } from '../../common/grpc-stream.ts';
import { newId } from '../../common/ids.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type {
  CAServer,
  IssueNodeCertificateRequest,
  NodeCAServer,
  NodeCertificateStatusResponse,
} from '../../proto/gen/swarm/ca.ts';
import { type Cluster, Node } from '../../proto/gen/swarm/objects.ts';
import { NodeSpec_Membership } from '../../proto/gen/swarm/specs.ts';
import { type Certificate, IssuanceState, NodeRole } from '../../proto/gen/swarm/types.ts';
import type { ReadTx, Store } from '../store/types.ts';
import type { CertificateIdentity } from '../types.ts';
import { type Caller, findCaller } from './caller.ts';
import { constantTimeEqual } from './join-token.ts';
import { DEFAULT_CERTIFICATE_VALIDITY_MS, RootCa } from './root-ca.ts';
import { unlockKeyOf } from './unlock-key.ts';

export interface CertificateAuthorityComponents {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface CertificateAuthorityInit {
  readonly clusterId: string;
}

/**
 * The leader's certificate authority. A certificate is signed while its request is answered, in the
 * same transaction that makes or updates the node's record, so that none is out without one.
 */
export class CertificateAuthority {
  readonly #components: CertificateAuthorityComponents;
  readonly #clusterId: string;
  #rootCa: RootCa | undefined;

  constructor(components: CertificateAuthorityComponents, init: CertificateAuthorityInit) {
    this.#components = components;
    this.#clusterId = init.clusterId;
  }

  /**
   * A new node for a valid join token, else a renewal for the calling node. Resolves with the node's
   * id. Throws SWM_INVALID_ARGUMENT without either, SWM_PERMISSION_DENIED for a removed node.
   */
  issue(request: IssueNodeCertificateRequest, caller: Caller | undefined): Promise<string> {
    if (request.token !== '') return this.#admit(request, request.token);
    if (caller) return this.#renew(request, caller);
    throw tokenNeeded();
  }

  /** Waits while the certificate is being issued. Throws SWM_NOT_FOUND. */
  async status(nodeId: string, signal: AbortSignal): Promise<NodeCertificateStatusResponse> {
    const certificate = await this.#settled(nodeId, signal);
    const rootCa = this.#cluster().rootCa;
    return {
      status: certificate.status,
      certificate,
      rootCaBundle: rootCa?.caCert ?? Buffer.alloc(0),
    };
  }

  /** What a new manager locks its files with; empty while managers are not locked. */
  unlockKey(): { readonly key: Uint8Array; readonly version: number } {
    const cluster = this.#cluster();
    return {
      key: unlockKeyOf(cluster) ?? new Uint8Array(),
      version: cluster.meta?.version?.index ?? 0,
    };
  }

  async #admit(request: IssueNodeCertificateRequest, token: string): Promise<string> {
    const { store, random, logger } = this.#components;
    const role = roleOfToken(this.#cluster(), token);
    const nodeId = newId(random);
    const certificate = await this.#sign(request, { nodeId, role, clusterId: this.#clusterId });
    await store.update((tx) => {
      // The token may have been rotated while the certificate was signed.
      if (roleOfToken(clusterIn(tx, this.#clusterId), token) !== role) throw tokenNeeded();
      tx.create('node', newNode(nodeId, certificate, request));
    });
    logger.info({ nodeId, role: NodeRole[role] }, 'a node joined the swarm');
    return nodeId;
  }

  async #renew(request: IssueNodeCertificateRequest, caller: Caller): Promise<string> {
    const { store } = this.#components;
    const { nodeId } = caller;
    const role = store.view((tx) => memberIn(tx, nodeId).role);
    const certificate = await this.#sign(request, { nodeId, role, clusterId: this.#clusterId });
    await store.update((tx) => {
      const node = memberIn(tx, nodeId);
      if (node.role !== role) {
        throw new SwarmError('SWM_UNAVAILABLE', `the role of node ${nodeId} has just changed`);
      }
      tx.update('node', { ...node, certificate });
    });
    return nodeId;
  }

  async #sign(
    request: IssueNodeCertificateRequest,
    identity: CertificateIdentity,
  ): Promise<Certificate> {
    const cluster = this.#cluster();
    const expiry = cluster.spec?.caConfig?.nodeCertExpiry;
    const pem = await this.#loadRootCa(cluster).issue({
      csrPem: request.csr.toString(),
      identity,
      validityMs: durationMs(expiry, DEFAULT_CERTIFICATE_VALIDITY_MS),
      now: this.#components.clock.now(),
    });
    return {
      role: identity.role,
      csr: request.csr,
      status: { state: IssuanceState.ISSUED, err: '' },
      certificate: Buffer.from(pem),
      cn: identity.nodeId,
    };
  }

  #loadRootCa(cluster: Cluster): RootCa {
    const { caCert, caKey } = cluster.rootCa ?? {};
    const certificatePem = caCert?.toString() ?? '';
    if (this.#rootCa?.certificatePem !== certificatePem) {
      this.#rootCa = new RootCa(certificatePem, caKey?.toString());
    }
    return this.#rootCa as RootCa;
  }

  #settled(nodeId: string, signal: AbortSignal): Promise<Certificate> {
    const { store } = this.#components;
    const look = () => {
      const node = store.view((tx) => tx.get('node', nodeId));
      if (!node) throw new SwarmError('SWM_NOT_FOUND', `node ${nodeId} not found`);
      return isSettled(node.certificate) ? node.certificate : undefined;
    };
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        unsubscribe();
        signal.removeEventListener('abort', onAbort);
        act();
      };
      const check = () => {
        try {
          const certificate = look();
          if (certificate) finish(() => resolve(certificate));
        } catch (error) {
          finish(() => reject(error));
        }
      };
      const onAbort = () => finish(() => reject(signal.reason));
      const unsubscribe = store.subscribe(check);
      signal.addEventListener('abort', onAbort, { once: true });
      check();
    });
  }

  #cluster(): Cluster {
    return this.#components.store.view((tx) => clusterIn(tx, this.#clusterId));
  }
}

export interface CaServiceComponents {
  readonly clock: Clock;
  /** PEM of the roots that this manager trusts; every manager can tell them. */
  readonly rootCaPem: () => string;
  readonly authority: () => CertificateAuthority;
}

export function caService(components: CaServiceComponents): CAServer {
  return {
    getRootCaCertificate: unaryHandler(async () => ({
      certificate: Buffer.from(components.rootCaPem()),
      unixTimeMs: Math.round(components.clock.now()),
    })),
    getUnlockKey: unaryHandler(async () => {
      const { key, version } = components.authority().unlockKey();
      return { unlockKey: Buffer.from(key), version: { index: version } };
    }),
  };
}

/** The node certificates, answered by the leader's authority. `authority` throws elsewhere. */
export function nodeCaService(authority: () => CertificateAuthority): NodeCAServer {
  return {
    issueNodeCertificate: unaryHandler(async (call) => ({
      nodeId: await authority().issue(call.request, findCaller(call)),
    })),
    nodeCertificateStatus: unaryHandler(async (call) => {
      const cancelled = new AbortController();
      call.on('cancelled', () => cancelled.abort(new Error('the client went away')));
      return authority().status(call.request.nodeId, cancelled.signal);
    }),
  };
}

function clusterIn(tx: ReadTx, clusterId: string): Cluster {
  const cluster = tx.get('cluster', clusterId);
  if (!cluster) throw new SwarmError('SWM_UNAVAILABLE', 'the cluster is still being set up');
  return cluster;
}

function memberIn(tx: ReadTx, nodeId: string): Node {
  const node = tx.get('node', nodeId);
  if (node) return node;
  throw new SwarmError(
    'SWM_PERMISSION_DENIED',
    `Permission denied: node ${nodeId} was removed from swarm`,
  );
}

function roleOfToken(cluster: Cluster, token: string): NodeRole {
  const { worker = '', manager = '' } = cluster.rootCa?.joinTokens ?? {};
  const forWorker = constantTimeEqual(token, worker);
  const forManager = constantTimeEqual(token, manager);
  if (token === '' || !(forWorker || forManager)) throw tokenNeeded();
  return forManager ? NodeRole.MANAGER : NodeRole.WORKER;
}

function newNode(id: string, certificate: Certificate, request: IssueNodeCertificateRequest): Node {
  const { role } = certificate;
  return Node.fromPartial({
    id,
    spec: {
      annotations: {},
      desiredRole: role,
      membership: NodeSpec_Membership.ACCEPTED,
      availability: request.availability,
    },
    role,
    certificate,
    status: {},
  });
}

function isSettled(certificate: Certificate | undefined): certificate is Certificate {
  const state = certificate?.status?.state;
  return state !== undefined && state !== IssuanceState.PENDING && state !== IssuanceState.UNKNOWN;
}

function tokenNeeded(): SwarmError {
  return new SwarmError(
    'SWM_INVALID_ARGUMENT',
    'A valid join token is necessary to join this cluster',
    { hint: 'Print the current one with "swarmctl join-token worker" on a manager.' },
  );
}
