/** Everything in the core can be shown to people, and says what it has. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Config,
  describeEntry,
  describeReady,
  describeStatus,
  EMPTY_CONF_STATE,
  EntryType,
  ErrConfig,
  entryTypeName,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  MemoryStorage,
  messageTypeName,
  nodeName,
  RawNode,
  StateType,
  type Status,
  stateName,
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
    'reads: 1 waiting from position 1 on, acknowledged: 1=1',
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
  node.raft.tracker.recordVote(3, false);
  node.raft.tracker.recordVote(2, false);
  assert.match(node.raft.tracker.describe(), /^votes: 1=yes 2=no 3=no$/m);
  assert.match(node.describe(), /^votes: 1=yes 2=no 3=no$/m);
  assert.equal(node.raft.log.unstable.describe(), 'log [2, 2) in progress to 2, snapshot none');
  const snapshot = { metadata: { index: 9, term: 1, confState: node.status().confState } };
  node.raft.log.unstable.restore(snapshot);
  assert.equal(node.raft.log.unstable.describe(), 'log [10, 10) in progress to 10, snapshot 9');
  assert.equal(storage.describe(), 'log [2, 2) behind a snapshot at 1, Term:2 Vote:1 Commit:1');
});

function without(key: keyof Config): Partial<Config> {
  return { [key]: undefined };
}

test('what is unusual of a node is shown: a halt, learners, pauses, snapshots, full windows', () => {
  const status: Status = {
    id: 17,
    hardState: { term: 3, vote: 0, commit: 9 },
    softState: { lead: 17, raftState: StateType.Leader },
    applied: 8,
    leadTransferee: 0,
    confState: EMPTY_CONF_STATE,
    progress: [
      {
        id: 2,
        match: 3,
        next: 10,
        state: 'StateSnapshot',
        isLearner: true,
        recentActive: false,
        paused: true,
        pendingSnapshot: 9,
        inflightCount: 0,
        inflightFull: false,
      },
      {
        id: 18,
        match: 3,
        next: 6,
        state: 'StateReplicate',
        isLearner: false,
        recentActive: true,
        paused: false,
        pendingSnapshot: 0,
        inflightCount: 2,
        inflightFull: true,
      },
    ],
    fault: 'entries are gone',
  };
  assert.deepEqual(describeStatus(status).split('\n'), [
    '11 StateLeader Term:3 Vote:0 Commit:9 Applied:8 Lead:17',
    'Voters:[] VotersOutgoing:[] Learners:[] LearnersNext:[] AutoLeave:false',
    'halted: entries are gone',
    '2: StateSnapshot match=3 next=10 learner paused pendingSnap=9 inactive',
    '12: StateReplicate match=3 next=6 inflight=2[full]',
    '',
  ]);
});

test('names, known and unknown', () => {
  const unknown = 99 as never;
  assert.deepEqual(
    [messageTypeName(unknown), stateName(unknown), entryTypeName(unknown)],
    ['MsgUnknown(99)', 'StateUnknown(99)', 'EntryUnknown(99)'],
  );
  assert.deepEqual([0, 26, LOCAL_APPEND_THREAD, LOCAL_APPLY_THREAD].map(nodeName), [
    'None',
    '1a',
    'AppendThread',
    'ApplyThread',
  ]);
});

test('payloads are quoted, and what is no configuration change is said to be none', () => {
  const place = { term: 1, index: 2 };
  const data = Uint8Array.of(97, 9, 10, 13, 34, 92, 31, 32, 126, 127, 200);
  assert.equal(
    describeEntry({ ...place, type: EntryType.Normal, data }),
    String.raw`1/2 EntryNormal "a\t\n\r\"\\\x1f ~\x7f\xc8"`,
  );
  const type = EntryType.ConfChange;
  assert.equal(
    describeEntry({ ...place, type, data: Uint8Array.of(7) }),
    '1/2 EntryConfChange undecodable: a configuration change of version 1 starts with 7',
  );
});

test('reads in a Ready, and one that asks for nothing', () => {
  const ready = { entries: [], committedEntries: [], messages: [], mustSync: false };
  assert.equal(describeReady({ ...ready, readStates: [] }), '<empty Ready>');
  const readStates = [{ index: 4, requestCtx: Uint8Array.of(1, 2) }];
  assert.equal(
    describeReady({ ...ready, readStates }),
    'Ready MustSync=false:\nReadStates [{4 [1 2]}]\n',
  );
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
    [{ maxSizePerMsg: -1 }, /maxSizePerMsg must be a size in bytes/],
    [{ maxInflightBytes: 99 }, /maxInflightBytes must be at least maxSizePerMsg/],
    [{ maxUncommittedEntriesSize: Number.NaN }, /maxUncommittedEntriesSize/],
    [{ maxCommittedSizePerReady: -1 }, /maxCommittedSizePerReady/],
    [{ maxInflightBytes: -1 }, /maxInflightBytes must be a size/],
    // What a caller without types may leave out.
    [without('maxSizePerMsg'), /maxSizePerMsg must be/],
    [without('maxInflightMsgs'), /maxInflightMsgs must be/],
    [without('random'), /random is missing/],
    [without('storage'), /storage is missing/],
    [{ storage: null as unknown as MemoryStorage }, /storage is missing/],
    [{ readOnlyOption: 'lease-based' }, /lease-based reads need checkQuorum/],
  ];
  for (const [change, rule] of cases) {
    const isRefusal = (error: unknown) => error instanceof ErrConfig && rule.test(error.message);
    assert.throws(() => new RawNode({ ...valid, ...change }), isRefusal);
  }
});
