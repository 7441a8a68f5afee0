import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { systemClock } from '../../../common/clock.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { Dispatcher } from '../../../manager/dispatcher/dispatcher.ts';
import { dispatcherService } from '../../../manager/dispatcher/service.ts';
import { DispatcherService } from '../../../proto/gen/swarm/dispatcher.ts';
import { NodeDescription, TaskState } from '../../../proto/gen/swarm/types.ts';
import { Agent } from '../../../worker/agent/agent.ts';
import { grpcDial } from '../../../worker/agent/grpc-connection.ts';
import { cluster, node, task } from '../../manager/dispatcher/objects.ts';
import { eventually } from '../../support/eventually.ts';
import { localStore } from '../../support/local-store.ts';
import { LOOPBACK } from '../../support/loopback.ts';
import { FakeEngine } from './fake-engine.ts';
import { MemoryTaskDb } from './memory-task-db.ts';

test('dispatcher and agent meet over gRPC, and again after the server was away', async () => {
  const { store } = localStore();
  await store.update((tx) => {
    tx.create('cluster', cluster());
    tx.create('node', node('n1'));
  });
  const membership = { members: () => [], onMembers: () => () => undefined };
  const world = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const dispatcher = new Dispatcher({ store, membership, ...world }, { nodeId: 'leader' });
  await dispatcher.start();
  const callerOf = () => ({ nodeId: 'n1', addr: '127.0.0.1' });
  const service = dispatcherService({ dispatcher: () => dispatcher, callerOf });
  let { server, port } = await listen(service, 0);

  const engine = new FakeEngine();
  engine.images = { busybox: { local: true } };
  const netdriver = { enableService: async () => {}, disableService: async () => {} };
  const agent = new Agent(
    {
      engine: engine.api(),
      netdriver,
      dial: grpcDial(() => credentials.createInsecure()),
      db: new MemoryTaskDb(),
      ...world,
    },
    {
      nodeId: 'n1',
      description: NodeDescription.fromPartial({ hostname: 'host-1' }),
      peers: [{ nodeId: 'm1', addr: `${LOOPBACK}:${port}` }],
    },
  );
  const running = (id: string) => () =>
    assert.equal(
      store.view((tx) => tx.get('task', id)?.status?.state),
      TaskState.RUNNING,
    );
  try {
    await agent.start();
    await agent.ready();
    await store.update((tx) => tx.create('task', task('t1', 'n1')));
    await eventually(running('t1'));

    server.forceShutdown();
    await store.update((tx) => tx.create('task', task('t2', 'n1')));
    ({ server, port } = await listen(service, port));
    await eventually(running('t2'));
  } finally {
    await agent.stop({ leave: false });
    await dispatcher.stop();
    server.forceShutdown();
  }
});

async function listen(
  service: ReturnType<typeof dispatcherService>,
  wanted: number,
): Promise<{ server: Server; port: number }> {
  const server = new Server();
  server.addService(DispatcherService, service);
  const port = await new Promise<number>((resolve, reject) => {
    const address = `${LOOPBACK}:${wanted}`;
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { server, port };
}
