import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ChannelCredentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { SwarmError } from '../../../common/errors.ts';
import { fromServiceError } from '../../../common/grpc-errors.ts';
import {
  type Consensus,
  createRaftMembershipService,
  LEADER_KEY,
} from '../../../manager/consensus/index.ts';
import {
  RaftClient,
  RaftMembershipServiceClient,
  type RaftMessage,
} from '../../../proto/gen/swarm/raft.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { TestCluster, type TestManager, until, write } from './harness.ts';

const CREDENTIALS = ChannelCredentials.createInsecure();

/** Settles a callback-style call. */
function call<R>(run: (done: (error: ServiceError | null, response: R) => void) => void) {
  return new Promise<R>((resolve, reject) => {
    run((error, response) => (error ? reject(error) : resolve(response)));
  });
}

function options(nodeId: string) {
  return { 'grpc.primary_user_agent': nodeId };
}

describe('the services of a manager', () => {
  let cluster: TestCluster;
  let leader: TestManager;
  let follower: TestManager;
  const clients: { close(): void }[] = [];

  before(async () => {
    cluster = await TestCluster.create(2, { tickMs: 50 });
    leader = await cluster.leader();
    [follower] = (await cluster.followers()) as [TestManager];
  });
  after(async () => {
    for (const client of clients) client.close();
    await cluster.stop();
  });

  function raft(manager: TestManager, nodeId: string): RaftClient {
    const client = new RaftClient(manager.addr, CREDENTIALS, options(nodeId));
    clients.push(client);
    return client;
  }

  function membership(manager: TestManager, nodeId: string): RaftMembershipServiceClient {
    const client = new RaftMembershipServiceClient(manager.addr, CREDENTIALS, options(nodeId));
    clients.push(client);
    return client;
  }

  /** What ends a stream that says these things of itself. */
  function streamEnd(nodeId: string, from: number, to: number, messages: RaftMessage[] = []) {
    const metadata = new Metadata();
    metadata.set('swarm-raft-from', String(from));
    metadata.set('swarm-raft-to', String(to));
    metadata.set('swarm-raft-addr', '127.0.0.1:1');
    const stream = raft(leader, nodeId).streamMessages(metadata);
    if (messages.length > 0) stream.write({ messages });
    return new Promise<ServiceError>((resolve) => stream.on('error', resolve));
  }

  it('say where a member is', async () => {
    const client = raft(leader, 'node-9');
    const { raftId } = follower.api;
    const answer = await call<{ addr: string }>((done) => client.resolveAddress({ raftId }, done));
    assert.equal(answer.addr, follower.addr);
    const unknown = call((done) => client.resolveAddress({ raftId: 1 }, done));
    await assert.rejects(unknown, { code: status.NOT_FOUND });
  });

  it('answer a health check before there is a member to speak of', async () => {
    const idle = cluster.add();
    await idle.listen();
    const client = raft(idle, 'node-0');
    const { raftId } = await call<{ raftId: number }>((done) => client.health({}, done));
    assert.equal(raftId, 0);
    const question = call((done) => client.resolveAddress({ raftId: 1 }, done));
    await assert.rejects(question, { code: status.UNAVAILABLE });
    await idle.stop();
  });

  it('are not for workers', async () => {
    const client = raft(leader, 'worker-1');
    for (const question of [
      call((done) => client.health({}, done)),
      call((done) => client.resolveAddress({ raftId: 1 }, done)),
      call((done) => membership(leader, 'worker-1').join({ addr: 'x:1', raftId: 0 }, done)),
    ]) {
      await assert.rejects(question, { code: status.PERMISSION_DENIED });
    }
    const end = await streamEnd('worker-1', 7, leader.api.raftId);
    assert.equal(end.code, status.PERMISSION_DENIED);
  });

  it('let nobody speak for another, nor to another', async () => {
    const { raftId } = leader.api;
    const forged = await streamEnd('node-9', follower.api.raftId, raftId);
    assert.equal(forged.code, status.PERMISSION_DENIED);
    const strayed = await streamEnd('node-9', 7, raftId + 1);
    assert.equal(strayed.code, status.FAILED_PRECONDITION);
    const nobody = await streamEnd('node-9', 0, raftId);
    assert.equal(nobody.code, status.INVALID_ARGUMENT);
  });

  it('say who leads when another is asked to change the members', async () => {
    const client = membership(follower, 'node-9');
    const join = call((done) => client.join({ addr: '127.0.0.1:1', raftId: 0 }, done));
    const error = (await join.catch((reason) => reason)) as ServiceError;
    assert.equal(error.code, status.FAILED_PRECONDITION);
    assert.deepEqual(error.metadata.get(LEADER_KEY), [leader.addr]);
    assert.equal(fromServiceError(error).code, 'SWM_NOT_LEADER');
  });

  // A follower may not have heard of a new manager yet, and its refusal would be final.
  it('leave it to the leader to say who may join', async () => {
    const ask = (manager: TestManager) => {
      const client = membership(manager, 'worker-1');
      return call((done) => client.join({ addr: '127.0.0.1:1', raftId: 0 }, done));
    };
    const error = (await ask(follower).catch((reason) => reason)) as ServiceError;
    assert.equal(fromServiceError(error).code, 'SWM_NOT_LEADER');
    await assert.rejects(ask(leader), { code: status.PERMISSION_DENIED });
  });

  // Roles come from the store. A leader that was replaced does not know those that changed since.
  it('look at the role of the caller after the leader made sure that it still leads', async () => {
    const calls: string[] = [];
    const consensus = {
      isLeader: true,
      leader: () => undefined,
      readIndex: async () => {
        calls.push('readIndex');
        if (calls.length > 2) throw new SwarmError('SWM_NO_LEADER', 'no quorum');
      },
    } as unknown as Consensus;
    const { join } = createRaftMembershipService({
      consensus: () => consensus,
      callerOf: () => {
        calls.push('callerOf');
        return { nodeId: 'n', role: NodeRole.WORKER };
      },
    });
    type Join = Parameters<typeof join>;
    const request = { metadata: new Metadata(), request: {} } as Join[0];
    const ask = () => call((done) => join(request, done as Join[1]));
    await assert.rejects(ask(), { code: status.PERMISSION_DENIED });
    assert.deepEqual(calls, ['readIndex', 'callerOf']);
    await assert.rejects(ask(), (error) => fromServiceError(error).code === 'SWM_NO_LEADER');
    assert.deepEqual(calls, ['readIndex', 'callerOf', 'readIndex'], 'the role is not known');
  });

  it('let a manager join and leave', async () => {
    // Where calls to loopback addresses come from.
    const manager = cluster.add('127.0.0.1');
    await manager.listen();
    const { nodeId, addr } = manager;
    const client = membership(leader, nodeId);
    type Answer = NonNullable<Parameters<TestManager['start']>[0]['join']>;
    // The host is filled in by the leader, which sees where the call comes from.
    const port = addr.slice(addr.lastIndexOf(':'));
    const join = await call<Answer>((done) => {
      client.join({ addr: `0.0.0.0${port}`, raftId: 0 }, done as never);
    });
    assert.ok(join.membership.members.some((member) => member.addr === addr));
    await manager.start({ join, tickMs: 50 });
    await cluster.allVote(3);
    await write(leader, 'x');
    await until(() => manager.machine.texts.length === 1, 'it takes part');
    await call((done) => client.leave({}, done));
    await until(() => manager.removed === 1, 'it is out');
    await manager.stop();
    const end = await streamEnd(nodeId, join.raftId, leader.api.raftId);
    assert.deepEqual([end.code, end.details], [status.NOT_FOUND, 'member was removed']);
  });
});
