import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { unaryHandler } from '../../common/grpc-stream.ts';
import { newId } from '../../common/ids.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import { removedFromSwarm } from '../../common/removed-node.ts';
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
import { type Caller, callerOf, findCaller } from './caller.ts';
import { signingRootOf, trustBundleOf } from './cluster-root.ts';
import type { ExternalCaComponents } from './external-ca.ts';
import { constantTimeEqual } from './join-token.ts';
import { NodeSigner } from './node-signer.ts';
import { unlockKeyOf } from './unlock-key.ts';

export interface CertificateAuthorityComponents {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly external: ExternalCaComponents;
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
  readonly #signer: NodeSigner;

  constructor(components: CertificateAuthorityComponents, init: CertificateAuthorityInit) {
    this.#components = components;
    this.#signer = new NodeSigner(components);
    this.#clusterId = init.clusterId;
  }

  /**
   * A new node for a valid join token, else a renewal for the calling node. Resolves with the node's
   * id. Whoever did not hear the answer asks again with the same key, and is told of the same node.
   * Throws SWM_INVALID_ARGUMENT without either, SWM_PERMISSION_DENIED for a removed node.
   */
  issue(request: IssueNodeCertificateRequest, caller: Caller | undefined): Promise<string> {
    if (request.token !== '') return this.#admit(request, request.token);
    if (caller) return this.#renew(request, caller);
    throw tokenNeeded();
  }

  /** Waits while the certificate is being issued. Throws SWM_NOT_FOUND. */
  async status(nodeId: string, signal: AbortSignal): Promise<NodeCertificateStatusResponse> {
    const certificate = await this.#settled(nodeId, signal);
    const rootCaBundle = trustBundleOf(this.#cluster().rootCa);
    return { status: certificate.status, certificate, rootCaBundle };
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
    const { certificate, root } = await this.#sign(request, nodeId, role);
    const admitted = await store.update((tx) => {
      requireRoot(clusterIn(tx, this.#clusterId), root);
      // The token may have been rotated while the certificate was signed.
      if (roleOfToken(clusterIn(tx, this.#clusterId), token) !== role) throw tokenNeeded();
      // And the same question answered that was asked before.
      const known = admittedIn(tx, request.csr, role);
      if (known) return known.id;
      tx.create('node', newNode(nodeId, certificate, request));
      return nodeId;
    });
    logger.info({ nodeId: admitted, role: NodeRole[role] }, 'a node was admitted to the swarm');
    return admitted;
  }

  async #renew(request: IssueNodeCertificateRequest, caller: Caller): Promise<string> {
    const { store } = this.#components;
    const { nodeId } = caller;
    const role = store.view((tx) => memberIn(tx, nodeId).role);
    const { certificate, root } = await this.#sign(request, nodeId, role);
    await store.update((tx) => {
      requireRoot(clusterIn(tx, this.#clusterId), root);
      const node = memberIn(tx, nodeId);
      if (node.role !== role) {
        throw new SwarmError('SWM_UNAVAILABLE', `the role of node ${nodeId} has just changed`);
      }
      tx.update('node', { ...node, certificate });
    });
    return nodeId;
  }

  /** Also says which root signed: another may have taken its place meanwhile. */
  async #sign(
    request: IssueNodeCertificateRequest,
    nodeId: string,
    role: NodeRole,
  ): Promise<{ readonly certificate: Certificate; readonly root: string }> {
    const cluster = this.#cluster();
    const identity = { nodeId, role, clusterId: this.#clusterId };
    const pem = await this.#signer.sign(cluster, request.csr.toString(), identity);
    const certificate = {
      role,
      csr: request.csr,
      status: { state: IssuanceState.ISSUED, err: '' },
      certificate: Buffer.from(pem),
      cn: nodeId,
    };
    return { certificate, root: signingRootOf(cluster.rootCa).certificatePem };
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
  readonly rootCaPem: () => Promise<string>;
  readonly authority: () => CertificateAuthority;
}

export function caService(components: CaServiceComponents): CAServer {
  return {
    getRootCaCertificate: unaryHandler(async () => ({
      certificate: Buffer.from(await components.rootCaPem()),
      unixTimeMs: Math.round(components.clock.now()),
    })),
    getUnlockKey: unaryHandler(async () => {
      const { key, version } = components.authority().unlockKey();
      return { unlockKey: Buffer.from(key), version: { index: version } };
    }),
  };
}

export interface NodeCaServiceComponents {
  /** The leader's; throws elsewhere. */
  readonly authority: () => CertificateAuthority;
  /** Removes all trace of a node but that its certificate is void. */
  readonly forget: (nodeId: string) => Promise<void>;
}

/** The node certificates, answered by the leader. */
export function nodeCaService({ authority, forget }: NodeCaServiceComponents): NodeCAServer {
  return {
    issueNodeCertificate: unaryHandler(async (call) => ({
      nodeId: await authority().issue(call.request, findCaller(call)),
    })),
    nodeCertificateStatus: unaryHandler(async (call) => {
      const cancelled = new AbortController();
      call.on('cancelled', () => cancelled.abort(new Error('the client went away')));
      return authority().status(call.request.nodeId, cancelled.signal);
    }),
    withdraw: unaryHandler(async (call) => {
      await forget(callerOf(call).nodeId);
      return {};
    }),
  };
}

function clusterIn(tx: ReadTx, clusterId: string): Cluster {
  const cluster = tx.get('cluster', clusterId);
  if (!cluster) throw new SwarmError('SWM_UNAVAILABLE', 'the cluster is still being set up');
  return cluster;
}

/** Throws SWM_UNAVAILABLE, upon which clients ask again, when `root` does not sign any more. */
function requireRoot(cluster: Cluster, root: string): void {
  if (signingRootOf(cluster.rootCa).certificatePem === root) return;
  throw new SwarmError('SWM_UNAVAILABLE', 'the root CA of the swarm has just changed');
}

function memberIn(tx: ReadTx, nodeId: string): Node {
  const node = tx.get('node', nodeId);
  if (node) return node;
  throw removedFromSwarm(nodeId);
}

function roleOfToken(cluster: Cluster, token: string): NodeRole {
  const { worker = '', manager = '' } = cluster.rootCa?.joinTokens ?? {};
  const forWorker = constantTimeEqual(token, worker);
  const forManager = constantTimeEqual(token, manager);
  if (token === '' || !(forWorker || forManager)) throw tokenNeeded();
  return forManager ? NodeRole.MANAGER : NodeRole.WORKER;
}

/** The node that was admitted with this request, and has not been heard of since. */
function admittedIn(tx: ReadTx, csr: Buffer, role: NodeRole): Node | undefined {
  for (const node of tx.all('node')) {
    const { certificate, description } = node;
    if (!description && certificate?.role === role && csr.equals(certificate.csr)) return node;
  }
  return undefined;
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
