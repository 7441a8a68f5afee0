import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SwarmError } from '../../../common/errors.ts';
import { updateNode } from '../../../manager/control/nodes.ts';
import { losesQuorum } from '../../../manager/control/quorum.ts';
import { type Node, Task } from '../../../proto/gen/swarm/objects.ts';
import { NodeSpec, NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeRole, NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import { addNode, type Bench, CLUSTER_ID, controlBench, member } from './fixture.ts';

const { MANAGER, WORKER } = NodeRole;

function demote(bench: Bench, node: Node): Promise<Node> {
  const spec = NodeSpec.fromPartial({ ...node.spec, desiredRole: WORKER });
  return bench.control.updateNode(node.id, node.meta?.version?.index ?? 0, spec);
}

test('the last manager cannot be demoted', async () => {
  const bench = await controlBench();
  const node = await addNode(bench, 'm1', MANAGER);
  bench.members.push(member(1, 'm1'));
  await assert.rejects(demote(bench, node), {
    code: 'SWM_FAILED_PRECONDITION',
    message: 'attempting to demote the last manager of the swarm',
  });
});

test('a demotion that would lose quorum is refused', async () => {
  const bench = await controlBench();
  await addNode(bench, 'm1', MANAGER);
  const node = await addNode(bench, 'm2', MANAGER);
  await addNode(bench, 'm3', MANAGER);
  bench.members.push(member(1, 'm1'), member(2, 'm2'), member(3, 'm3', false));
  await assert.rejects(demote(bench, node), {
    code: 'SWM_FAILED_PRECONDITION',
    message: "can't remove member from the raft: this would result in a loss of quorum",
  });
  bench.members[2] = member(3, 'm3', true);
  const demoted = await demote(bench, node);
  assert.equal(demoted.spec?.desiredRole, WORKER);
  assert.equal(demoted.role, MANAGER, 'the role itself is changed by the role manager');
});

test('a manager that is unreachable can be demoted', async () => {
  const bench = await controlBench();
  await addNode(bench, 'm1', MANAGER);
  await addNode(bench, 'm2', MANAGER);
  const node = await addNode(bench, 'm3', MANAGER);
  bench.members.push(member(1, 'm1'), member(2, 'm2'), member(3, 'm3', false));
  await demote(bench, node);
});

test('an update of an old version is refused', async () => {
  const bench = await controlBench();
  const node = await addNode(bench, 'w1', WORKER);
  await assert.rejects(bench.control.updateNode('w1', 0, node.spec as NodeSpec), {
    code: 'SWM_OUT_OF_SEQUENCE',
  });
  await assert.rejects(bench.control.updateNode('w2', 0, node.spec as NodeSpec), {
    code: 'SWM_NOT_FOUND',
    message: 'node w2 not found',
  });
});

test("what the swarm itself writes about a node makes nobody's update stale", async () => {
  const bench = await controlBench();
  const read = await addNode(bench, 'w1', WORKER);
  await bench.store.update((tx) => {
    const node = tx.get('node', 'w1') as Node;
    tx.update('node', { ...node, status: { ...node.status!, state: NodeState.DOWN } });
  });
  const spec = NodeSpec.fromPartial({ ...read.spec, desiredRole: MANAGER });
  const version = read.meta?.version?.index ?? 0;
  const promoted = await bench.control.updateNode('w1', version, spec);
  assert.equal(promoted.spec?.desiredRole, MANAGER);
  assert.equal(promoted.status?.state, NodeState.DOWN, 'nothing of it is lost');
  const stale = { code: 'SWM_OUT_OF_SEQUENCE' };
  await assert.rejects(bench.control.updateNode('w1', version, spec), stale);
  const newest = promoted.meta?.version?.index ?? 0;
  await assert.rejects(bench.control.updateNode('w1', newest + 1, spec), stale);
  await bench.control.updateNode('w1', newest, spec);
});

test('a demotion waits for word of those that stay, and is not written down without', async () => {
  const bench = await controlBench();
  const node = await addNode(bench, 'm1', MANAGER);
  await addNode(bench, 'm2', MANAGER);
  bench.members.push(member(1, 'm1'), member(2, 'm2'));
  const asked: number[] = [];
  const members = {
    members: () => bench.members,
    confirmRemoval: async (raftId: number) => {
      asked.push(raftId);
      throw new SwarmError('SWM_FAILED_PRECONDITION', 'they do not answer');
    },
  };
  const update = (spec: NodeSpec) =>
    updateNode({ ...bench.context, members }, 'm1', node.meta?.version?.index ?? 0, spec);
  await assert.rejects(update({ ...node.spec!, desiredRole: WORKER }), {
    message: 'they do not answer',
  });
  const stored = bench.store.view((tx) => tx.get('node', 'm1'));
  assert.equal(stored?.spec?.desiredRole, MANAGER);
  await update({ ...node.spec!, availability: NodeSpec_Availability.DRAIN });
  assert.deepEqual(asked, [1]);
});

test('a node that is ready is removed by force only', async () => {
  const bench = await controlBench();
  await addNode(bench, 'w1', WORKER);
  await assert.rejects(bench.control.removeNode('w1', false), {
    code: 'SWM_FAILED_PRECONDITION',
    message: "node w1 is not down and can't be removed",
  });
  await bench.control.removeNode('w1', true);
  assert.equal(
    bench.store.view((tx) => tx.get('node', 'w1')),
    undefined,
  );
});

test('a manager is never removed', async () => {
  const bench = await controlBench();
  await addNode(bench, 'm1', MANAGER, NodeState.DOWN);
  bench.members.push(member(1, 'm1'));
  await assert.rejects(bench.control.removeNode('m1', true), {
    code: 'SWM_FAILED_PRECONDITION',
    message:
      'node m1 is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal',
  });
});

test('a removed node is on the blacklist and its tasks are given up', async () => {
  const bench = await controlBench();
  await addNode(bench, 'w1', WORKER, NodeState.DOWN);
  const states = [TaskState.RUNNING, TaskState.FAILED, TaskState.ASSIGNED];
  await bench.store.update((tx) => {
    for (const [i, state] of states.entries()) {
      tx.create('task', Task.fromPartial({ id: `t${i}`, nodeId: 'w1', status: { state } }));
    }
  });
  await bench.control.removeNode('w1', false);
  bench.store.view((tx) => {
    assert.deepEqual(Object.keys(tx.get('cluster', CLUSTER_ID)?.blacklistedCertificates ?? {}), [
      'w1',
    ]);
    const after = states.map((_, i) => tx.get('task', `t${i}`)?.status?.state);
    assert.deepEqual(after, [TaskState.ORPHANED, TaskState.FAILED, TaskState.ORPHANED]);
  });
});

test('losesQuorum agrees with counting', () => {
  const reachability = fc.array(fc.boolean(), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(reachability, fc.nat(), (flags, pick) => {
      const members = flags.map((reachable, i) => ({
        ...member(i + 1, `m${i + 1}`, reachable),
        self: false,
      }));
      const removed = (pick % flags.length) + 1;
      const rest = members.filter(({ raftId }) => raftId !== removed);
      const alive = rest.filter(({ reachable }) => reachable).length;
      assert.equal(losesQuorum(members, removed), !(alive * 2 > rest.length));
    }),
  );
});

test('a learner has no vote to lose', () => {
  const members = [member(1, 'm1'), { ...member(2, 'm2'), learner: true }];
  assert.equal(losesQuorum(members, 2), false);
  assert.equal(losesQuorum(members, 7), false);
});
