import type { TestContext } from 'node:test';
import { Server } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../../common/clock.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { authorizationInterceptor } from '../../../manager/ca/authorization.ts';
import { CertificateAuthority, caService, nodeCaService } from '../../../manager/ca/ca-service.ts';
import { httpsPost } from '../../../manager/ca/https-post.ts';
import { generateJoinToken } from '../../../manager/ca/join-token.ts';
import { OpenCalls } from '../../../manager/ca/open-calls.ts';
import { SecurityConfig } from '../../../manager/ca/security-config.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import { CAService, NodeCAService } from '../../../proto/gen/swarm/ca.ts';
import { Cluster, Node } from '../../../proto/gen/swarm/objects.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { onEnd, tempDir } from '../../support/cleanup.ts';
import { localStore } from '../../support/local-store.ts';

export interface CaCluster {
  readonly addr: string;
  readonly stateDir: string;
  readonly store: MemoryStore;
  readonly security: SecurityConfig;
  readonly tokens: { readonly worker: string; readonly manager: string };
  readonly removed: Set<string>;
  readonly openCalls: OpenCalls;
}

export const components = {
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
};

/** A new cluster object as a bootstrap would make it. */
export function clusterObject(security: SecurityConfig, tokens: CaCluster['tokens']): Cluster {
  return Cluster.fromPartial({
    id: security.identity.clusterId,
    spec: { annotations: { name: 'default' } },
    rootCa: {
      caCert: Buffer.from(security.rootCaPem),
      caKey: Buffer.from(security.rootCa.keyPem ?? ''),
      joinTokens: tokens,
    },
  });
}

/** One manager on loopback that serves the CA over mutual TLS; `clock` is that of its CA. */
export async function startCaCluster(
  t: TestContext,
  clock: Clock = systemClock,
): Promise<CaCluster> {
  let addr = '';
  const remotes = () => [addr];
  const stateDir = await tempDir(t);
  const security = await SecurityConfig.bootstrap({ ...components, remotes }, { stateDir });
  const { store } = localStore();
  const { digest } = security.rootCa;
  const tokens = {
    worker: generateJoinToken(digest, systemRandom),
    manager: generateJoinToken(digest, systemRandom),
  };
  await store.update((tx) => {
    tx.create('cluster', clusterObject(security, tokens));
    const { nodeId } = security.identity;
    tx.create('node', Node.fromPartial({ id: nodeId, role: NodeRole.MANAGER, spec: {} }));
  });
  const removed = new Set<string>();
  const openCalls = new OpenCalls();
  const { clusterId } = security.identity;
  const external = { post: httpsPost, tls: () => security.copy(undefined) };
  const authority = new CertificateAuthority(
    { ...components, clock, store, external },
    { clusterId },
  );
  const server = new Server({
    interceptors: [
      authorizationInterceptor({
        identity: () => security.identity,
        isRemoved: (nodeId) => removed.has(nodeId),
        openCalls,
      }),
    ],
  });
  const rootCaPem = async () => security.rootCaPem;
  server.addService(CAService, caService({ clock, rootCaPem, authority: () => authority }));
  server.addService(
    NodeCAService,
    nodeCaService({
      authority: () => authority,
      forget: async (nodeId) => {
        await store.update((tx) => tx.remove('node', nodeId));
        removed.add(nodeId);
      },
    }),
  );
  addr = await listen(server, security);
  onEnd(t, () => server.forceShutdown());
  return { addr, stateDir, store, security, tokens, removed, openCalls };
}

export function listen(server: Server, security: SecurityConfig): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', security.serverCredentials(), (error, port) => {
      if (error) reject(error);
      else resolve(`127.0.0.1:${port}`);
    });
  });
}
