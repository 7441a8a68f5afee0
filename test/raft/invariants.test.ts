/** Each invariant is broken on purpose once: an assertion that cannot fail would be none. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Raft } from '../../manager/raft/core/raft.ts';
import {
  assertInvariants,
  EntryType,
  MessageType,
  message,
  StateType,
} from '../../manager/raft/index.ts';
import { EMPTY_CONFIG } from '../../manager/raft/tracker/config.ts';
import { Cluster } from './support/cluster.ts';

type Damage = readonly [string, RegExp, (r: Raft) => void];

const entry = (term: number, index: number) => ({ term, index, type: EntryType.Normal });

/** Of a leader of term 2 with three followers' progress, the last entry being 3, everything applied. */
const DAMAGES: readonly Damage[] = [
  ['applied goes back', /applied 1 after 3/, (r) => (r.log.applied = 1)],
  ['applying behind applied', /applied 3 > applying 2/, (r) => (r.log.applying = 2)],
  ['commit goes back', /committed 2 after 3/, (r) => (r.log.committed = 2)],
  ['committed past the end', /commits entry 9 of term 0/, (r) => (r.log.committed = 9)],
  ['term goes back', /term 1 after 2/, (r) => (r.term = 1)],
  ['vote changes', /vote 3 after 1/, (r) => (r.vote = 3)],
  ['another leader in the term', /leader 2 after 1 in term 2/, (r) => (r.lead = 2)],
  ['a term that is forgotten', /term 0 after 2/, (r) => (r.term = 0)],
  [
    'follows itself',
    /leads, but is no leader/,
    (r) => {
      r.state = StateType.Follower;
    },
  ],
  [
    'a candidate that voted for another',
    /without its own vote/,
    (r) => {
      Object.assign(r, { term: 3, vote: 2, lead: 0, state: StateType.Candidate });
    },
  ],
  [
    'a transfer without leadership',
    /hands over/,
    (r) => {
      Object.assign(r, { lead: 0, state: StateType.Follower, leadTransferee: 2 });
    },
  ],
  [
    'reads at a follower',
    /1 reads wait/,
    (r) => {
      Object.assign(r, { lead: 0, state: StateType.Follower });
      r.readsBeforeCommit.push(message({ type: MessageType.ReadIndex }));
    },
  ],
  ['no entry of its term', /without an entry of its term/, (r) => (r.termStart = 9)],
  ['a pending change that is not there', /pending change 9/, (r) => (r.pendingConfIndex = 9)],
  ['a negative size', /uncommitted size -1/, (r) => (r.uncommittedSize = -1)],
  [
    'an acknowledgement that does not wait',
    /before the write it rests on/,
    (r) => r.messages.push(message({ type: MessageType.AppResp })),
  ],
  ['match at next', /progress of 2/, (r) => (r.tracker.progress.get(2)!.match = 4)],
  ['next past the end', /progress of 2/, (r) => (r.tracker.progress.get(2)!.next = 9)],
  [
    'a pending snapshot outside of Snapshot',
    /progress of 2/,
    (r) => (r.tracker.progress.get(2)!.pendingSnapshot = 3),
  ],
  [
    'next is not behind the pending snapshot',
    /progress of 2/,
    (r) => {
      r.tracker.progress.get(2)!.becomeSnapshot(3);
      r.tracker.progress.get(2)!.next = 6;
    },
  ],
  [
    'a window in Probe',
    /window in use/,
    (r) => {
      r.tracker.progress.get(2)!.becomeProbe();
      r.tracker.progress.get(2)!.inflights.add(3, 1);
    },
  ],
  ['offset past what is in progress', /offset > offset/, (r) => (r.log.unstable.offset = 6)],
  [
    'in progress past the end',
    /offsetInProgress > end/,
    (r) => (r.log.unstable.offsetInProgress = 9),
  ],
  [
    'a gap in the unstable log',
    /unstable entry 7 is at 4/,
    (r) => r.log.unstable.entries.push(entry(2, 7)),
  ],
  [
    'a log of a leader that gets shorter',
    /a leader's log ends at 2/,
    (r) => {
      r.log.unstable.offset = 2;
      r.log.unstable.offsetInProgress = 2;
      r.log.unstable.entries.push(entry(2, 2));
    },
  ],
  [
    'a voter without a progress',
    /no progress for 3/,
    (r) => r.tracker.use(r.tracker.config, new Map([...r.tracker.progress].slice(0, 2))),
  ],
  [
    'a progress for a stranger',
    /who is no member/,
    (r) => r.tracker.use(EMPTY_CONFIG, r.tracker.progress),
  ],
  [
    'learner and voter',
    /3 is both learner and voter/,
    (r) => r.tracker.use({ ...r.tracker.config, learners: [3] }, r.tracker.progress),
  ],
  [
    'a learner-to-be that is no outgoing voter',
    /to be demoted, but is no outgoing voter/,
    (r) => r.tracker.use({ ...r.tracker.config, learnersNext: [3] }, r.tracker.progress),
  ],
  [
    'a learner-to-be that is a learner',
    /3 is to be demoted, but is a learner already/,
    (r) => {
      const voters = { incoming: [1, 2], outgoing: [1, 2, 3] };
      r.tracker.progress.get(3)!.isLearner = true;
      r.tracker.use({ ...r.tracker.config, voters, learnersNext: [3] }, r.tracker.progress);
    },
  ],
  [
    'a learner by configuration only',
    /3 is a learner, but not in its progress/,
    (r) => {
      const voters = { incoming: [1, 2], outgoing: [] };
      r.tracker.use({ ...r.tracker.config, voters, learners: [3] }, r.tracker.progress);
    },
  ],
  ['a leader that follows', /a leader that follows another/, (r) => (r.lead = 0)],
  [
    'autoleave without a transition',
    /autoleave without a transition/,
    (r) => r.tracker.use({ ...r.tracker.config, autoLeave: true }, r.tracker.progress),
  ],
];

for (const [what, found, damage] of DAMAGES) {
  test(`broken: ${what}`, () => {
    const cluster = new Cluster();
    const { node } = cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.settle();
    assert.equal(node.lastIndex(), 3);
    assertInvariants(node);
    damage(node.raft);
    assert.throws(() => assertInvariants(node), found);
  });
}

test('broken: a leader commits an entry of a former term by itself', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.flush(1);
  assertInvariants(node);
  const { log } = node.raft;
  log.storage.term = () => 1;
  log.committed = log.lastIndex();
  assert.throws(() => assertInvariants(node), /commits entry 3 of term 1/);
});

test('broken: a vote without a term, a commit index past the end, in a node seen for the first time', () => {
  const fresh = () => new Cluster().member(1).node;
  const voted = fresh();
  Object.assign(voted.raft, { term: 0, vote: 2 });
  assert.throws(() => assertInvariants(voted), /a vote without a term/);
  const ahead = fresh();
  ahead.raft.log.committed = 2;
  assert.throws(() => assertInvariants(ahead), /committed 2 > last 1/);
  const eager = fresh();
  eager.raft.log.applying = 2;
  assert.throws(() => assertInvariants(eager), /applying 2 > committed 1/);
});

test('what must not happen inside says so', () => {
  const { raft } = new Cluster().elect(1).node;
  const { log } = raft;
  assert.throws(() => raft.send({ type: MessageType.App, to: 1 }), /addressed to its sender/);
  assert.throws(() => log.acceptApplying(9, 0, true), /applying 9, but only 2 is committed/);
  assert.throws(() => log.slice(3, 2, 0), /\[3, 2\) is outside of the log committed=2/);
  assert.throws(() => log.slice(2, 9, 0), /\[2, 9\) is outside of the log/);
  assert.throws(() => log.unstable.slice(1, 2), /outside of the unstable log \[3, 3\)/);
  log.storage.entries = () => [];
  assert.throws(() => log.scan(2, 3, 0, () => false), /got no entries of \[2, 3\)/);
});
