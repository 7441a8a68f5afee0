import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { Client, Server } from '@grpc/grpc-js';
import { systemClock } from '../../../common/clock.ts';
import { unaryHandler } from '../../../common/grpc-stream.ts';
import { systemRandom } from '../../../common/random.ts';
import { caService } from '../../../manager/ca/ca-service.ts';
import { CredentialSource, createClientCredentials } from '../../../manager/ca/credentials.ts';
import { generateJoinToken, parseJoinToken } from '../../../manager/ca/join-token.ts';
import { SecurityConfig } from '../../../manager/ca/security-config.ts';
import { readNodeFiles } from '../../../manager/ca/state-files.ts';
import { callUnary } from '../../../manager/rpc.ts';
import {
  CAService,
  type IssueNodeCertificateRequest,
  NodeCAService,
} from '../../../proto/gen/swarm/ca.ts';
import { Node } from '../../../proto/gen/swarm/objects.ts';
import {
  CAConfig,
  NodeSpec_Availability,
  NodeSpec_Membership,
} from '../../../proto/gen/swarm/specs.ts';
import { IssuanceState, NodeRole } from '../../../proto/gen/swarm/types.ts';
import { onEnd, tempDir } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { type CaCluster, components, listen, startCaCluster } from './fixture.ts';

const ACTIVE = NodeSpec_Availability.ACTIVE;

async function joinAs(
  t: Parameters<typeof tempDir>[0],
  cluster: CaCluster,
  token: string,
  availability = ACTIVE,
): Promise<SecurityConfig> {
  return SecurityConfig.join(
    { ...components, remotes: () => [cluster.addr] },
    { stateDir: await tempDir(t), remotes: [cluster.addr], token, availability },
  );
}

test('a worker joins over TLS and is recorded in the store', async (t) => {
  const cluster = await startCaCluster(t);
  const worker = await joinAs(t, cluster, cluster.tokens.worker, NodeSpec_Availability.DRAIN);
  assert.equal(worker.identity.role, NodeRole.WORKER);
  assert.equal(worker.identity.clusterId, cluster.security.identity.clusterId);
  assert.equal(worker.rootCaPem, cluster.security.rootCaPem);
  const node = cluster.store.view((tx) => tx.get('node', worker.identity.nodeId));
  assert.equal(node?.role, NodeRole.WORKER);
  assert.equal(node?.spec?.desiredRole, NodeRole.WORKER);
  assert.equal(node?.spec?.membership, NodeSpec_Membership.ACCEPTED);
  assert.equal(node?.spec?.availability, NodeSpec_Availability.DRAIN);
  assert.equal(node?.certificate?.status?.state, IssuanceState.ISSUED);
});

test('the manager token makes a manager', async (t) => {
  const cluster = await startCaCluster(t);
  const manager = await joinAs(t, cluster, cluster.tokens.manager);
  assert.equal(manager.identity.role, NodeRole.MANAGER);
});

test('a token with the right root and a wrong secret is refused', async (t) => {
  const cluster = await startCaCluster(t);
  const { rootDigest } = parseJoinToken(cluster.tokens.worker);
  await assert.rejects(joinAs(t, cluster, generateJoinToken(rootDigest, systemRandom)), {
    code: 'SWM_INVALID_ARGUMENT',
    message: 'A valid join token is necessary to join this cluster',
  });
});

test('a manager of another cluster is not trusted', async (t) => {
  const [cluster, other] = await Promise.all([startCaCluster(t), startCaCluster(t)]);
  const expected = parseJoinToken(other.tokens.worker).rootDigest.toString('hex');
  await assert.rejects(joinAs(t, cluster, other.tokens.worker), {
    code: 'SWM_INVALID_ARGUMENT',
    message: `remote CA does not match fingerprint. Expected: ${expected}`,
  });
});

test('an impostor that shows the right root gets no token', async (t) => {
  const [cluster, other] = await Promise.all([startCaCluster(t), startCaCluster(t)]);
  const tokens: string[] = [];
  const server = new Server();
  const authority = () => {
    throw new Error('not asked for');
  };
  const rootCaPem = async () => cluster.security.rootCaPem;
  server.addService(CAService, caService({ clock: systemClock, rootCaPem, authority }));
  server.addService(NodeCAService, {
    issueNodeCertificate: unaryHandler<IssueNodeCertificateRequest, never>(async (call) => {
      tokens.push(call.request.token);
      throw new Error('caught one');
    }),
    nodeCertificateStatus: unaryHandler<unknown, never>(async () => {
      throw new Error('not asked for');
    }),
  });
  const addr = await listen(server, other.security);
  onEnd(t, () => server.forceShutdown());
  // Without the pauses between two tries, and with the time that each may take.
  const clock = {
    ...systemClock,
    setTimer: (ms: number, fn: () => void) => systemClock.setTimer(ms < 5_000 ? 0 : ms, fn),
  };
  const joining = SecurityConfig.join(
    { ...components, clock, remotes: () => [addr] },
    {
      stateDir: await tempDir(t),
      remotes: [addr],
      token: cluster.tokens.worker,
      availability: ACTIVE,
    },
  );
  await assert.rejects(joining, { code: 'SWM_UNAVAILABLE', message: /certificate/ });
  assert.deepEqual(tokens, []);
});

test('an identity survives on disk with the modes it needs', async (t) => {
  const cluster = await startCaCluster(t);
  const stateDir = await tempDir(t);
  const withRemotes = { ...components, remotes: () => [cluster.addr] };
  const joined = await SecurityConfig.join(withRemotes, {
    stateDir,
    remotes: [cluster.addr],
    token: cluster.tokens.worker,
    availability: ACTIVE,
  });
  const loaded = await SecurityConfig.load(withRemotes, { stateDir });
  assert.deepEqual(loaded?.identity, joined.identity);
  assert.equal(loaded?.certificatePem, joined.certificatePem);
  const mode = async (name: string) =>
    (await stat(join(stateDir, 'certificates', name))).mode & 0o777;
  assert.equal(await mode('swarm-root-ca.crt'), 0o644);
  assert.equal(await mode('swarm-node.crt'), 0o644);
  assert.equal(await mode('swarm-node.key'), 0o600);
  const crt = await readFile(join(stateDir, 'certificates', 'swarm-node.crt'), 'utf8');
  assert.equal(crt, joined.certificatePem);
});

test('an empty state directory holds no identity', async (t) => {
  const init = { stateDir: await tempDir(t) };
  assert.equal(await SecurityConfig.load({ ...components, remotes: () => [] }, init), undefined);
});

test('renewal keeps the node and takes its observed role', async (t) => {
  const cluster = await startCaCluster(t);
  const worker = await joinAs(t, cluster, cluster.tokens.worker);
  const { nodeId } = worker.identity;
  await cluster.store.update((tx) => {
    const node = tx.get('node', nodeId);
    assert(node);
    tx.update('node', { ...node, role: NodeRole.MANAGER });
  });
  let changes = 0;
  worker.onChange(() => changes++);
  const before = worker.clientCredentials(NodeRole.MANAGER);
  await worker.renew();
  assert.equal(changes, 1);
  assert.deepEqual(worker.identity, {
    nodeId,
    role: NodeRole.MANAGER,
    clusterId: cluster.security.identity.clusterId,
  });
  assert.notEqual(worker.clientCredentials(NodeRole.MANAGER), before);
});

test('a removed node gets no renewal', async (t) => {
  const cluster = await startCaCluster(t);
  const worker = await joinAs(t, cluster, cluster.tokens.worker);
  const { nodeId } = worker.identity;
  cluster.removed.add(nodeId);
  const refusal = {
    code: 'SWM_PERMISSION_DENIED',
    message: `Permission denied: node ${nodeId} was removed from swarm`,
  };
  await assert.rejects(worker.renew(), refusal);
  cluster.removed.clear();
  await cluster.store.update((tx) => tx.remove('node', nodeId));
  await assert.rejects(worker.renew(), refusal);
});

test('a node that is removed loses the calls that it has under way', async (t) => {
  const cluster = await startCaCluster(t);
  const [gone, other] = await Promise.all(
    [1, 2].map(() => joinAs(t, cluster, cluster.tokens.worker)),
  );
  const waiting = Node.fromPartial({
    id: 'waiting',
    certificate: { status: { state: IssuanceState.PENDING } },
  });
  await cluster.store.update((tx) => tx.create('node', waiting));
  const wait = (security: SecurityConfig | undefined, signal?: AbortSignal) => {
    const client = new Client(cluster.addr, security!.clientCredentials(NodeRole.MANAGER));
    onEnd(t, () => client.close());
    const { nodeCertificateStatus } = NodeCAService;
    const options = { clock: systemClock, timeoutMs: 60_000, signal };
    return callUnary(client, nodeCertificateStatus, { nodeId: 'waiting' }, options);
  };
  // One that goes away by itself is forgotten.
  const away = new AbortController();
  const cancelled = wait(other, away.signal);
  await eventually(() => assert.equal(cluster.openCalls.size, 1));
  away.abort(new Error('enough'));
  await assert.rejects(cancelled, /enough/);
  await eventually(() => assert.equal(cluster.openCalls.size, 0));
  const [ended, kept] = [wait(gone), wait(other)];
  await eventually(() => assert.equal(cluster.openCalls.size, 2));
  const { nodeId } = gone!.identity;
  cluster.openCalls.endOf((id) => id === nodeId);
  await assert.rejects(ended, {
    code: 'SWM_PERMISSION_DENIED',
    message: `Permission denied: node ${nodeId} was removed from swarm`,
  });
  assert.equal(cluster.openCalls.size, 1);
  const status = { state: IssuanceState.ISSUED, err: '' };
  await cluster.store.update((tx) => {
    tx.update('node', {
      ...tx.get('node', 'waiting')!,
      certificate: { ...waiting.certificate!, status },
    });
  });
  await kept;
  assert.equal(cluster.openCalls.size, 0);
});

test('a listener serves its renewed certificate without being restarted', async (t) => {
  const cluster = await startCaCluster(t);
  const serverCertificate = () => {
    const [host, port] = cluster.addr.split(':');
    return new Promise<string>((resolve, reject) => {
      const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  };
  const before = await serverCertificate();
  await cluster.security.renew();
  const after = await serverCertificate();
  assert.notEqual(after, before);
  assert.equal(after, new X509Certificate(cluster.security.certificatePem).fingerprint256);
});

test('a certificate renews itself between half and four fifths of its time', async (t) => {
  const cluster = await startCaCluster(t);
  const clock = new VirtualClock(Date.now());
  // The first address is dead, so that the first try fails.
  let remotes = ['127.0.0.1:1'];
  let tries = 0;
  const askedRemotes = () => {
    tries++;
    return remotes;
  };
  const worker = await SecurityConfig.join(
    { ...components, clock, remotes: askedRemotes },
    {
      stateDir: await tempDir(t),
      remotes: [cluster.addr],
      token: cluster.tokens.worker,
      availability: ACTIVE,
    },
  );
  let renewed = false;
  worker.onChange(() => {
    renewed = true;
  });
  await worker.start();
  onEnd(t, () => worker.stop());
  const validity = worker.notAfter - clock.now();
  const before = worker.certificatePem;
  await clock.advance(validity * 0.49);
  assert.equal(worker.certificatePem, before);
  await clock.advance(validity * 0.32);
  const failed = tries;
  assert(failed >= 1, 'it has tried');
  remotes = [cluster.addr];
  await eventually(async () => {
    await clock.advance(1_000);
    assert(renewed, 'after the retry');
  });
  assert(tries > failed);
  assert.notEqual(worker.certificatePem, before);
});

test('certificates are valid as long as the spec says when they are signed', async (t) => {
  const cluster = await startCaCluster(t);
  const { clusterId } = cluster.security.identity;
  const expire = (hours: number) =>
    cluster.store.update((tx) => {
      const object = tx.get('cluster', clusterId)!;
      const caConfig = CAConfig.fromPartial({ nodeCertExpiry: { seconds: hours * 3_600 } });
      tx.update('cluster', { ...object, spec: { ...object.spec!, caConfig } });
    });
  const hoursLeft = (security: SecurityConfig) =>
    Math.round((security.notAfter - Date.now()) / 3_600_000);
  await expire(5);
  const worker = await joinAs(t, cluster, cluster.tokens.worker);
  assert.equal(hoursLeft(worker), 5);
  await expire(2);
  await worker.renew();
  assert.equal(hoursLeft(worker), 2);
});

test('methods for managers refuse workers and strangers', async (t) => {
  const cluster = await startCaCluster(t);
  const worker = await joinAs(t, cluster, cluster.tokens.worker);
  const manager = await joinAs(t, cluster, cluster.tokens.manager);
  const call = async (security: SecurityConfig) => {
    const client = new Client(cluster.addr, security.clientCredentials(NodeRole.MANAGER));
    try {
      return await callUnary(
        client,
        CAService.getUnlockKey,
        {},
        { clock: systemClock, timeoutMs: 20_000 },
      );
    } finally {
      client.close();
    }
  };
  await call(manager);
  await assert.rejects(call(worker), {
    code: 'SWM_PERMISSION_DENIED',
    message: 'Permission denied: /swarm.CA/GetUnlockKey is for a swarm-manager, not a swarm-worker',
  });
});

test('clients refuse a server that is no manager of their cluster', async (t) => {
  const [cluster, other] = await Promise.all([startCaCluster(t), startCaCluster(t)]);
  const client = new Client(other.addr, cluster.security.clientCredentials(NodeRole.MANAGER));
  onEnd(t, () => client.close());
  await assert.rejects(
    callUnary(client, CAService.getUnlockKey, {}, { clock: systemClock, timeoutMs: 20_000 }),
    /unable to verify|self-signed certificate|certificate/,
  );
});

test('a certificate of another cluster counts for nothing', async (t) => {
  const [cluster, other] = await Promise.all([startCaCluster(t), startCaCluster(t)]);
  const files = await readNodeFiles(other.stateDir);
  assert(files);
  const source = new CredentialSource({ ...files, rootCaPem: cluster.security.rootCaPem });
  const { clusterId } = cluster.security.identity;
  const credentials = createClientCredentials(source, {
    role: NodeRole.MANAGER,
    clusterId,
    nodeId: '',
  });
  const client = new Client(cluster.addr, credentials);
  onEnd(t, () => client.close());
  await assert.rejects(
    callUnary(client, CAService.getUnlockKey, {}, { clock: systemClock, timeoutMs: 20_000 }),
    {
      code: 'SWM_UNAUTHENTICATED',
    },
  );
});
