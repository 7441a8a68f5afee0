import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../common/errors.ts';
import { silentLogger } from '../../common/logger.ts';
import { writeStatuses } from '../../manager/manager-status.ts';
import { nextRoleChanges, RoleManager } from '../../manager/role-manager.ts';
import { Node } from '../../proto/gen/swarm/objects.ts';
import { NodeRole, Reachability } from '../../proto/gen/swarm/types.ts';
import { onEnd } from '../support/cleanup.ts';
import { localStore } from '../support/local-store.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';
import { member } from './control/fixture.ts';

const { MANAGER, WORKER } = NodeRole;
const node = (id: string, role: NodeRole, desiredRole: NodeRole) =>
  Node.fromPartial({ id, role, spec: { desiredRole } });

const cases: [string, Node[], string[], unknown[]][] = [
  ['nothing to do', [node('m', MANAGER, MANAGER), node('w', WORKER, WORKER)], ['m'], []],
  [
    'a promotion changes the role at once',
    [node('w', WORKER, MANAGER)],
    [],
    [{ type: 'promote', nodeId: 'w' }],
  ],
  ['a manager that has not joined yet is left alone', [node('m', MANAGER, MANAGER)], [], []],
  [
    'a demotion begins with the Raft members',
    [node('m', MANAGER, WORKER)],
    ['m'],
    [{ type: 'evict', nodeId: 'm', raftId: 1 }],
  ],
  ['and ends with the role', [node('m', MANAGER, WORKER)], [], [{ type: 'demote', nodeId: 'm' }]],
  ['a member without a node goes', [], ['m'], [{ type: 'evict', nodeId: 'm', raftId: 1 }]],
  [
    'a promotion that was taken back',
    [node('w', WORKER, WORKER)],
    ['w'],
    [{ type: 'evict', nodeId: 'w', raftId: 1 }],
  ],
];

for (const [what, nodes, members, expected] of cases) {
  test(what, () => {
    const list = members.map((id, i) => ({ nodeId: id, raftId: i + 1 }));
    assert.deepEqual(nextRoleChanges(nodes, list), expected);
  });
}

test('a removal that is refused is tried again after 5 s', async (t) => {
  const clock = new VirtualClock();
  const { store } = localStore(clock);
  await store.update((tx) => tx.create('node', node('m', MANAGER, WORKER)));
  let members = [member(7, 'm')];
  let refused = 0;
  const consensus = {
    members: () => members,
    onMembers: () => () => undefined,
    removeMember: async (raftId: number) => {
      assert.equal(raftId, 7);
      if (refused++ < 2) throw new SwarmError('SWM_FAILED_PRECONDITION', 'loss of quorum');
      members = [];
    },
  };
  const roles = new RoleManager({ store, consensus, clock, logger: silentLogger });
  await roles.start();
  onEnd(t, () => roles.stop());
  await settle();
  assert.equal(refused, 1);
  await clock.advance(4_900);
  assert.equal(refused, 1);
  await clock.advance(200);
  assert.equal(refused, 2);
  await clock.advance(5_100);
  assert.equal(refused, 3);
  // The members changed; consensus would say so, and the next look finds the demotion.
  await store.update((tx) => tx.create('node', node('other', WORKER, WORKER)));
  await settle();
  assert.equal(
    store.view((tx) => tx.get('node', 'm')?.role),
    WORKER,
  );
});

test('a manager that is promoted again while another is removed stays', async (t) => {
  const clock = new VirtualClock();
  const { store } = localStore(clock);
  const demoted = ['a', 'b'].map((id) => node(id, MANAGER, WORKER));
  await store.update((tx) => {
    for (const one of demoted) tx.create('node', one);
  });
  let members = [member(1, 'a'), member(2, 'b')];
  const consensus = {
    members: () => members,
    onMembers: () => () => undefined,
    removeMember: async (raftId: number) => {
      members = members.filter((each) => each.raftId !== raftId);
      await store.update((tx) => {
        const { meta } = tx.get('node', 'b')!;
        tx.update('node', { ...node('b', MANAGER, MANAGER), meta });
      });
    },
  };
  const roles = new RoleManager({ store, consensus, clock, logger: silentLogger });
  await roles.start();
  onEnd(t, () => roles.stop());
  await settle();
  assert.deepEqual(
    members.map(({ nodeId }) => nodeId),
    ['b'],
  );
});

test('the status of managers follows the members', async () => {
  const { store } = localStore();
  await store.update((tx) => {
    for (const id of ['a', 'b', 'c']) tx.create('node', node(id, MANAGER, MANAGER));
  });
  const members = [{ ...member(1, 'a'), leader: true, addr: 'h:1' }, member(2, 'b', false)];
  await store.update((tx) => writeStatuses(tx, members));
  const before = store.appliedIndex;
  const status = (id: string) => store.view((tx) => tx.get('node', id)?.managerStatus);
  assert.deepEqual(status('a'), {
    raftId: 1,
    addr: 'h:1',
    leader: true,
    reachability: Reachability.REACHABLE,
  });
  assert.equal(status('b')?.reachability, Reachability.UNREACHABLE);
  assert.equal(status('c'), undefined);
  await store.update((tx) => writeStatuses(tx, members));
  assert.equal(store.appliedIndex, before, 'what is right already is not written again');
  await store.update((tx) => writeStatuses(tx, []));
  assert.equal(status('a'), undefined);
});
