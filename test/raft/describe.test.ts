/** Everything in the core can be shown to people, and says what it has. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Config,
  describeStatus,
  ErrConfig,
  MemoryStorage,
  RawNode,
} from '../../manager/raft/index.ts';
import { Cluster } from './support/cluster.ts';
import { bytes } from './support/member.ts';

test('a node: status, progress of the others, log, and waiting reads', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a');
  cluster.settle();
  cluster.isolate(2);
  node.readIndex(bytes('r'));
  node.transferLeader(3);
  cluster.flush(1);
  assert.deepEqual(node.describe().split('\n'), [
    '1 StateLeader Term:2 Vote:1 Commit:3 Applied:3 Lead:1',
    'Voters:[1 2 3] VotersOutgoing:[] Learners:[] LearnersNext:[] AutoLeave:false',
    'transferring to 3',
    '1: StateReplicate match=3 next=4',
    '2: StateReplicate match=3 next=4',
    '3: StateReplicate match=2 next=4 inflight=1',
    'log: committed=3, applied=3, applying=3, unstable.offset=4, unstable.offsetInProgress=4, len(unstable.Entries)=0',
    'reads: 1 waiting from 1 on, acknowledged: 1=1',
    '',
  ]);
  assert.ok(node.describe().startsWith(describeStatus(node.status())));
});

test('configuration and votes, unstable log, storage', () => {
  const cluster = new Cluster({ learners: [4] });
  const { node, storage } = cluster.member(1);
  node.campaign();
  cluster.flush(1);
  assert.deepEqual(node.raft.tracker.describe().split('\n'), [
    'voters=(1 2 3) learners=(4)',
    '1: StateProbe match=1 next=2 inactive',
    '2: StateProbe match=0 next=2 inactive',
    '3: StateProbe match=0 next=2 inactive',
    '4: StateProbe match=0 next=2 learner inactive',
    'votes: 1=yes',
    '',
  ]);
  assert.equal(node.raft.log.unstable.describe(), 'log [2, 2) in progress to 2, snapshot none');
  assert.equal(storage.describe(), 'log [2, 2) behind a snapshot at 1, Term:2 Vote:1 Commit:1');
});

test('a configuration that cannot work is refused with the rule that it breaks', () => {
  const valid: Config = {
    id: 1,
    electionTick: 10,
    heartbeatTick: 1,
    storage: new MemoryStorage(),
    maxSizePerMsg: 100,
    maxInflightMsgs: 1,
    random: () => 0,
  };
  assert.equal(new RawNode(valid).status().id, 1);
  const cases: readonly (readonly [Partial<Config>, RegExp])[] = [
    [{ id: 0 }, /id 0 means no node/],
    [{ id: 1.5 }, /id 1.5 is not in/],
    [{ id: 2 ** 53 }, /is not in/],
    [{ id: Number.MAX_SAFE_INTEGER }, /reserved for the storage threads/],
    [{ heartbeatTick: 0 }, /heartbeatTick must be an integer of at least 1/],
    [{ heartbeatTick: 0.5 }, /heartbeatTick must be an integer/],
    [{ electionTick: 1 }, /electionTick 1 must be an integer above heartbeatTick 1/],
    [{ electionTick: 9.5 }, /electionTick 9.5 must be an integer/],
    [{ applied: -1 }, /applied must be/],
    [{ maxInflightMsgs: 0 }, /maxInflightMsgs must be at least 1/],
    [{ maxSizePerMsg: -1 }, /maxSizePerMsg must not be negative/],
    [{ maxInflightBytes: 99 }, /maxInflightBytes must be at least maxSizePerMsg/],
    [{ maxUncommittedEntriesSize: Number.NaN }, /maxUncommittedEntriesSize/],
    [{ maxCommittedSizePerReady: -1 }, /maxCommittedSizePerReady/],
    [{ readOnlyOption: 'lease-based' }, /lease-based reads need checkQuorum/],
  ];
  for (const [change, rule] of cases) {
    const isRefusal = (error: unknown) => error instanceof ErrConfig && rule.test(error.message);
    assert.throws(() => new RawNode({ ...valid, ...change }), isRefusal);
  }
});
