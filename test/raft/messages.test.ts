/** Whatever comes over the network: a node takes it, refuses it by name, or halts, and never breaks. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  assertInvariants,
  EMPTY_CONF_STATE,
  EntryType,
  ErrProposalDropped,
  ErrStepLocalMsg,
  ErrStepPeerNotFound,
  type Message,
  MessageType,
  message,
} from '../../manager/raft/index.ts';
import { Cluster } from './support/cluster.ts';

const small = fc.integer({ min: 0, max: 9 });
const id = fc.integer({ min: 0, max: 5 });
const bytes = fc.uint8Array({ maxLength: 16 });
const ids = fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: 4 });

const entry = fc.record({
  term: small,
  index: small,
  type: fc.constantFrom(...Object.values(EntryType)),
  data: fc.option(bytes, { nil: undefined }),
});

const snapshot = fc.record({
  metadata: fc.record({
    index: small,
    term: small,
    confState: fc
      .record({ voters: ids, votersOutgoing: ids, learners: ids, learnersNext: ids })
      .map((lists) => ({ ...EMPTY_CONF_STATE, ...lists })),
  }),
});

const anyMessage: fc.Arbitrary<Message> = fc
  .record({
    type: fc.constantFrom(...Object.values(MessageType)),
    from: id,
    // Others are refused, which says nothing.
    to: fc.constantFrom(0, 1),
    term: small,
    logTerm: small,
    index: small,
    entries: fc.array(entry, { maxLength: 3 }),
    commit: small,
    vote: id,
    reject: fc.boolean(),
    rejectHint: small,
    context: fc.option(bytes, { nil: undefined }),
    snapshot: fc.option(snapshot, { nil: undefined }),
  })
  .map((fields) => message(fromOneLeader(fields)));

/** Nodes may be mistaken in every other way, but there are no two leaders in a term. */
function fromOneLeader<T extends { type: MessageType; term: number; from: number }>(fields: T): T {
  const types: readonly MessageType[] = [MessageType.App, MessageType.Heartbeat, MessageType.Snap];
  return types.includes(fields.type) ? { ...fields, from: 2 + (fields.term % 2) } : fields;
}

type Event = { readonly step: Message } | { readonly tick: number } | { readonly act: string };
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ step: anyMessage }) },
  { weight: 2, arbitrary: fc.record({ tick: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('campaign', 'propose', 'read') }) },
);

const REFUSALS = [ErrStepLocalMsg, ErrStepPeerNotFound, ErrProposalDropped];

function happen(cluster: Cluster, each: Event): void {
  const { node } = cluster.member(1);
  if ('tick' in each) cluster.tick(1, each.tick);
  else if ('step' in each) node.step(each.step);
  else if (each.act === 'campaign') node.campaign();
  else if (each.act === 'read') node.readIndex(Uint8Array.of(1));
  else node.propose(Uint8Array.of(1));
}

for (const asyncStorageWrites of [false, true]) {
  for (const leads of [false, true]) {
    const name = `${leads ? 'a leader' : 'a follower'}, ${asyncStorageWrites ? 'async' : 'sync'}`;
    test(`any messages at ${name}: taken, refused by name, or a halt`, () => {
      let taken = 0;
      fc.assert(
        fc.property(fc.array(event, { minLength: 1, maxLength: 12, size: 'max' }), (events) => {
          const config = { asyncStorageWrites, checkQuorum: true, preVote: true };
          const cluster = new Cluster({ learners: [4], config });
          if (leads) cluster.elect(1);
          for (const each of events) {
            try {
              happen(cluster, each);
              taken++;
            } catch (error) {
              assert.ok(
                REFUSALS.some((refusal) => error instanceof refusal),
                `${error instanceof Error ? error.stack : error}`,
              );
            }
            const { node } = cluster.member(1);
            if (node.status().fault !== undefined) return;
            assertInvariants(node);
          }
        }),
        { numRuns: 1_500 },
      );
      assert.ok(taken > 1_000);
    });
  }
}

test('a message that bears the own id is refused, but for what a node promises itself', () => {
  const cluster = new Cluster();
  const { node, term } = cluster.elect(1);
  for (const type of [MessageType.App, MessageType.Heartbeat, MessageType.Vote, MessageType.Snap]) {
    assert.throws(() => node.step(message({ type, from: 1, to: 1, term })), ErrStepLocalMsg);
  }
  node.step(message({ type: MessageType.AppResp, from: 1, to: 1, term, index: 1 }));
  assert.equal(node.raft.lead, 1);
});

test('what peers send has a sender and a term, or it is no message of a peer', () => {
  const cluster = new Cluster();
  const { node, term } = cluster.elect(1);
  for (const type of [MessageType.App, MessageType.AppResp, MessageType.HeartbeatResp]) {
    assert.throws(() => node.step(message({ type, from: 2, to: 1 })), ErrStepLocalMsg);
    assert.throws(() => node.step(message({ type, to: 1, term })), ErrStepLocalMsg);
  }
  // A node that has never heard of anything is in term 0, and may reject.
  const { node: other } = cluster.member(2);
  other.step(message({ type: MessageType.PreVoteResp, from: 3, to: 2, reject: true }));
});

test('an acknowledgement past the end of the log does not count', () => {
  const cluster = new Cluster();
  const { node, term } = cluster.elect(1);
  node.step(message({ type: MessageType.AppResp, from: 2, to: 1, term, index: 99 }));
  assert.equal(node.raft.tracker.progress.get(2)?.match, 2);
  cluster.propose(1, 'a');
  cluster.settle();
  assert.deepEqual(cluster.member(2).applied, ['a']);
});
