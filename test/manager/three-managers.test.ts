import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Client } from '@grpc/grpc-js';
import { systemClock } from '../../common/clock.ts';
import { LeaderCalls } from '../../manager/control/index.ts';
import { removeManagerState } from '../../manager/index.ts';
import { callUnary } from '../../manager/rpc.ts';
import { ControlService } from '../../proto/gen/swarm/control.ts';
import { DispatcherService } from '../../proto/gen/swarm/dispatcher.ts';
import {
  LogBrokerClient,
  PublishLogsMessage,
  SubscribeLogsRequest,
  type SubscriptionMessage,
} from '../../proto/gen/swarm/logs.ts';
import type { Node } from '../../proto/gen/swarm/objects.ts';
import { NodeSpec } from '../../proto/gen/swarm/specs.ts';
import { NodeRole, Reachability } from '../../proto/gen/swarm/types.ts';
import { onEnd } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import {
  bootstrapNode,
  enrolNode,
  joinNode,
  joinTokens,
  newManager,
  startNode,
  type TestNode,
} from './cluster.ts';
import { serviceSpec } from './control/fixture.ts';

interface Cluster {
  readonly leader: TestNode;
  readonly followers: readonly [TestNode, TestNode];
}

async function threeManagers(t: TestContext): Promise<Cluster> {
  const leader = await bootstrapNode(t);
  const followers = [await joinNode(t, leader), await joinNode(t, leader)] as const;
  await eventually(() => {
    const members = leader.manager.members();
    assert.equal(members.filter(({ learner }) => !learner).length, 3);
  });
  return { leader, followers: [...followers] };
}

const idOf = (node: TestNode) => node.securityConfig.identity.nodeId;

function nodeIn({ manager }: TestNode, id: string): Node {
  const node = manager.readLocal((tx) => tx.get('node', id));
  assert(node, `there is no node ${id}`);
  return node;
}

async function setDesiredRole(via: TestNode, id: string, desiredRole: NodeRole): Promise<void> {
  // Repeated, as a client does, when the leader changed the node in between.
  await eventually(async () => {
    const node = nodeIn(via, id);
    const spec = NodeSpec.fromPartial({ ...node.spec, desiredRole });
    await via.manager.control.updateNode(id, node.meta?.version?.index ?? 0, spec);
  });
}

// They mostly wait for elections, so they wait together.
describe('several managers', { concurrency: 3 }, () => {
  test('three managers', async (t) => {
    const { leader, followers } = await threeManagers(t);

    await t.test('a follower writes through the leader and reads its own writes', async () => {
      const [follower] = followers;
      assert(leader.manager.isLeader && !follower.manager.isLeader);
      const service = await follower.manager.control.createService(serviceSpec('web'));
      const seen = follower.manager.readLocal((tx) => tx.get('service', service.id));
      assert.deepEqual(seen, service, 'without waiting for anything');
      await assert.rejects(follower.manager.control.createService(serviceSpec('web')), {
        code: 'SWM_CONFLICT',
        message: 'name conflicts with an existing object: service web already exists',
      });
      const version = service.meta?.version?.index ?? 0;
      await follower.manager.control.updateService(service.id, version, serviceSpec('web'), false);
      await follower.manager.control.removeService(service.id);
      assert.equal(await leader.manager.read((tx) => tx.get('service', service.id)), undefined);
    });

    await t.test('every manager shows the same status of all', async () => {
      await eventually(() => {
        for (const viewer of [leader, ...followers]) {
          for (const node of [leader, ...followers]) {
            const status = nodeIn(viewer, idOf(node)).managerStatus;
            assert.equal(status?.leader, node === leader);
            assert.equal(status?.addr, node.addr);
            assert.equal(status?.reachability, Reachability.REACHABLE);
          }
        }
      });
    });

    await t.test('calls of agents reach the leader through any manager, once', async (t) => {
      const worker = await enrolNode(t, followers[0], (await joinTokens(leader)).worker);
      const { nodeId } = worker.securityConfig.identity;
      const credentials = worker.securityConfig.clientCredentials(NodeRole.MANAGER);
      const client = new Client(followers[1].addr, credentials);
      onEnd(t, () => client.close());
      const call = callUnary(
        client,
        DispatcherService.heartbeat,
        { sessionId: 'none' },
        { clock: systemClock, timeoutMs: 20_000 },
      );
      // The dispatcher of the leader knows who calls: the session of this very node is not there.
      await assert.rejects(call, /session|registered/);
      const session = client.makeServerStreamRequest(
        DispatcherService.session.path,
        DispatcherService.session.requestSerialize,
        DispatcherService.session.responseDeserialize,
        { sessionId: '', description: undefined },
      );
      session.on('error', () => undefined);
      const first = await new Promise<{ node?: Node | undefined }>((resolve, reject) => {
        session.once('data', resolve);
        session.once('error', reject);
      });
      assert.equal(first.node?.id, nodeId);
      session.cancel();
      const control = new LeaderCalls({ clock: systemClock, leader: () => client });
      const { requestSerialize } = ControlService.removeService;
      const removal = control.call('removeService', requestSerialize({ id: 'x' }));
      await assert.rejects(removal, { code: 'SWM_PERMISSION_DENIED' });
      control.close();
    });

    await t.test('logs come through any manager', async (t) => {
      const [follower] = followers;
      const worker = await enrolNode(t, leader, (await joinTokens(leader)).worker);
      const { nodeId } = worker.securityConfig.identity;
      const service = await leader.manager.control.createService(serviceSpec('logging'));
      const taskId = await eventually(() => {
        const [task] = leader.manager.readLocal((tx) => tx.find('task', { serviceId: service.id }));
        assert(task, 'there is no task yet');
        return task.id;
      });
      const credentials = worker.securityConfig.clientCredentials(NodeRole.MANAGER);
      const agent = new LogBrokerClient(followers[1].addr, credentials);
      onEnd(t, () => agent.close());
      const subscriptions = agent.listenSubscriptions({});
      subscriptions.on('error', () => undefined);
      const selector = { serviceIds: [], nodeIds: [nodeId], taskIds: [taskId] };
      const request = SubscribeLogsRequest.fromPartial({ selector, options: { follow: true } });
      const ending = new AbortController();
      const lines = follower.manager.subscribeLogs(request, ending.signal);
      const firstLine = lines.next();
      const { id } = await new Promise<SubscriptionMessage>((resolve) =>
        subscriptions.once('data', resolve),
      );
      const publishing = agent.publishLogs(() => undefined);
      publishing.on('error', () => undefined);
      const context = { nodeId, taskId, serviceId: service.id };
      const messages = [{ context, data: Buffer.from('hello') }];
      publishing.write(PublishLogsMessage.fromPartial({ subscriptionId: id, messages }));
      assert.equal((await firstLine).value?.data.toString(), 'hello');
      ending.abort();
      await assert.rejects(lines.next());
      subscriptions.cancel();
      publishing.cancel();
      await leader.manager.control.removeService(service.id);
    });

    await t.test('when the leader stops the others go on, and it comes back', async (t) => {
      const [first, second] = followers;
      await leader.manager.control.createService(serviceSpec('before'));
      await leader.manager.stop();
      const service = await first.manager.control.createService(serviceSpec('after'));
      assert(await second.manager.read((tx) => tx.get('service', service.id)));
      await eventually(() => {
        const status = nodeIn(first, idOf(leader)).managerStatus;
        assert.equal(status?.reachability, Reachability.UNREACHABLE);
        assert.equal(status.leader, false);
      });
      const again = await startNode(t, leader, { type: 'restart' });
      assert(await again.manager.read((tx) => tx.get('service', service.id)));
      assert.equal(
        await again.manager.read((tx) => tx.find('service', { name: 'before' }).length),
        1,
      );
    });
  });

  test('without quorum nothing is written, and the reason is told', async (t) => {
    const { leader, followers } = await threeManagers(t);
    await Promise.all(followers.map(({ manager }) => manager.stop()));
    await eventually(() => assert.equal(leader.manager.isLeader, false));
    await assert.rejects(leader.manager.control.createService(serviceSpec('web')), {
      code: 'SWM_NO_LEADER',
      message:
        "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.",
    });
    await leader.manager.stop();
    const forced = await startNode(t, leader, { type: 'force-new-cluster' });
    assert.equal(forced.manager.members().length, 1);
    await forced.manager.control.createService(serviceSpec('web'));
  });

  test('a worker is promoted, and demoted again', async (t) => {
    const leader = await bootstrapNode(t);
    const worker = await enrolNode(t, leader, (await joinTokens(leader)).worker);
    const { nodeId } = worker.securityConfig.identity;
    await setDesiredRole(leader, nodeId, NodeRole.MANAGER);
    await eventually(() => assert.equal(nodeIn(leader, nodeId).role, NodeRole.MANAGER));
    await worker.securityConfig.renew();
    assert.equal(worker.securityConfig.identity.role, NodeRole.MANAGER);
    const manager = await startNode(t, worker, { type: 'join', remotes: [leader.addr] });
    await eventually(() => {
      assert.equal(nodeIn(manager, nodeId).managerStatus?.reachability, Reachability.REACHABLE);
      assert.deepEqual(
        leader.manager.members().filter(({ learner }) => learner),
        [],
      );
    });
    await setDesiredRole(manager, nodeId, NodeRole.WORKER);
    await eventually(() => {
      assert.equal(nodeIn(leader, nodeId).role, NodeRole.WORKER);
      assert.equal(nodeIn(leader, nodeId).managerStatus, undefined);
      assert.equal(leader.manager.members().length, 1);
    });
    await manager.manager.stop();
    await worker.securityConfig.renew();
    assert.equal(worker.securityConfig.identity.role, NodeRole.WORKER);
    await leader.manager.control.createService(serviceSpec('web'));
  });

  test('a leader that is demoted hands over first', async (t) => {
    const { leader, followers } = await threeManagers(t);
    const [first] = followers;
    await setDesiredRole(first, idOf(leader), NodeRole.WORKER);
    await eventually(() => {
      assert.equal(nodeIn(first, idOf(leader)).role, NodeRole.WORKER);
      assert.equal(first.manager.members().length, 2);
    });
    await first.manager.control.createService(serviceSpec('web'));
  });

  test('a demoted manager cannot come back with its old certificate', async (t) => {
    const { leader, followers } = await threeManagers(t);
    const [first] = followers;
    await setDesiredRole(leader, idOf(first), NodeRole.WORKER);
    await eventually(() => assert.equal(nodeIn(leader, idOf(first)).role, NodeRole.WORKER));
    await first.manager.stop();
    await removeManagerState(first.stateDir);
    assert.equal(first.securityConfig.identity.role, NodeRole.MANAGER);
    await assert.rejects(startNode(t, first, { type: 'join', remotes: [leader.addr] }), {
      code: 'SWM_PERMISSION_DENIED',
    });
    assert.equal(leader.manager.members().length, 2);

    // The same for a daemon that restarts at this moment; it comes up without a manager.
    await assert.rejects(startNode(t, first, { type: 'restart' }), {
      code: 'SWM_PERMISSION_DENIED',
    });

    await setDesiredRole(leader, idOf(first), NodeRole.MANAGER);
    await eventually(() => assert.equal(nodeIn(leader, idOf(first)).role, NodeRole.MANAGER));
    const again = await startNode(t, first, { type: 'restart' });
    await again.manager.control.createService(serviceSpec('web'));
  });

  test('a manager that was away when its node was removed hears of it', async (t) => {
    const { leader, followers } = await threeManagers(t);
    const [away] = followers;
    const id = idOf(away);
    await away.manager.stop();
    await setDesiredRole(leader, id, NodeRole.WORKER);
    await eventually(() => assert.equal(leader.manager.members().length, 2));
    await eventually(() => leader.manager.control.removeNode(id, true));
    let told = false;
    const onRemoved = () => {
      told = true;
    };
    const manager = newManager(away, { type: 'restart' }, undefined, onRemoved);
    onEnd(t, () => manager.stop());
    // It may hear of it before it serves.
    await manager.start().catch(() => undefined);
    await eventually(() => assert(told));
  });

  test('a manager leaves, and its node can be removed then', async (t) => {
    const { leader, followers } = await threeManagers(t);
    const [first, second] = followers;
    const id = idOf(first);
    await assert.rejects(second.manager.control.removeNode(id, true), {
      code: 'SWM_FAILED_PRECONDITION',
    });
    await first.manager.leaveRaft(false);
    await first.manager.stop();
    await eventually(() => assert.equal(leader.manager.members().length, 2));
    await second.manager.control.removeNode(id, false);
    await assert.rejects(first.securityConfig.renew(), {
      code: 'SWM_PERMISSION_DENIED',
      message: `Permission denied: node ${id} was removed from swarm`,
    });
  });
});
