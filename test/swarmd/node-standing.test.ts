import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../common/errors.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import type { Membership } from '../../swarmd/membership.ts';
import type { NodeRecord } from '../../swarmd/node-files.ts';
import { NodeStanding } from '../../swarmd/node-standing.ts';

const record = { advertiseAddr: '[fd00::1]:2377' } as NodeRecord;

/** As much of a membership as is looked at. */
function memberOf(more: object = {}): Membership {
  return { nodeId: 'n1', role: NodeRole.WORKER, record, trouble: '', ...more } as Membership;
}

test('outside of a swarm, all is empty', () => {
  assert.deepEqual(new NodeStanding().state(), {
    nodeId: '',
    nodeAddr: '',
    localNodeState: 'inactive',
    role: 'none',
    error: '',
    remoteManagers: [],
  });
});

test('as a member it is who the certificate says, and knows the managers of its session', () => {
  const standing = new NodeStanding();
  const peers = [{ peer: { nodeId: 'm1', addr: '10.0.0.1:2377' } }, { peer: undefined }];
  standing.membership = memberOf({ session: { managers: peers } });
  standing.set('active');
  assert.deepEqual(standing.state(), {
    nodeId: 'n1',
    nodeAddr: 'fd00::1',
    localNodeState: 'active',
    role: 'worker',
    error: '',
    remoteManagers: [{ nodeId: 'm1', addr: '10.0.0.1:2377' }],
  });
});

test('a manager knows the others by its log, also without a session', () => {
  const standing = new NodeStanding();
  const members = [{ nodeId: 'm1', addr: '10.0.0.1:2377', raftId: 7 }];
  const manager = { members: () => members };
  standing.membership = memberOf({ role: NodeRole.MANAGER, manager });
  assert.deepEqual(standing.state().remoteManagers, [{ nodeId: 'm1', addr: '10.0.0.1:2377' }]);
});

test('of what is wrong, the failure to start comes before trouble, and that before the manager', () => {
  const standing = new NodeStanding();
  const failure = new SwarmError('SWM_UNAVAILABLE', 'The disk is full', { hint: 'Make room.' });
  const manager = { failure, members: () => [] };
  standing.membership = memberOf({ role: NodeRole.MANAGER, manager });
  standing.set('active');
  assert.equal(standing.state().error, 'The disk is full. Make room.');
  standing.membership = memberOf({ manager, trouble: 'refused' });
  assert.equal(standing.state().error, 'refused');
  assert.ok(standing.manager);
  standing.set('error', 'no');
  assert.equal(standing.state().error, 'no');
  standing.set('pending');
  assert.equal(standing.state().error, 'refused', 'a failure lasts until the next attempt');
});

test('a locked manager is still known', () => {
  const standing = new NodeStanding();
  standing.lock({ nodeId: 'n7', record });
  const { nodeId, nodeAddr, localNodeState, role } = standing.state();
  assert.deepEqual(
    [nodeId, nodeAddr, localNodeState, role],
    ['n7', 'fd00::1', 'locked', 'manager'],
  );
  standing.open();
  assert.equal(standing.locked, undefined);
  assert.equal(standing.state().role, 'none');
});

test('what is damaged is said with its remedy, until nothing of it is left', () => {
  const standing = new NodeStanding();
  standing.membership = memberOf();
  const damage = new SwarmError('SWM_DAMAGED', 'x.json is cut off.', { hint: 'Leave.' });
  standing.damaged(damage);
  assert.equal(standing.membership, undefined);
  assert.equal(standing.damage, damage);
  const { localNodeState, error } = standing.state();
  assert.deepEqual([localNodeState, error], ['error', 'x.json is cut off. Leave.']);
  standing.open();
  assert.equal(standing.damage, undefined);
});

test('whoever listens hears of each change, until he stops', () => {
  const standing = new NodeStanding();
  const heard: string[] = [];
  const stop = standing.onChange(() => heard.push(standing.phase));
  standing.set('pending');
  standing.lock({ nodeId: 'n1', record });
  standing.damaged(new SwarmError('SWM_DAMAGED', 'x'));
  standing.tell();
  stop();
  standing.set('inactive');
  assert.deepEqual(heard, ['pending', 'locked', 'error', 'error']);
});
