import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ConfChangeType, EntryType, type Message, MessageType, message } from 'raft-ts';
import { systemClock } from '../../../common/clock.ts';
import { SwarmError } from '../../../common/errors.ts';
import { systemRandom } from '../../../common/random.ts';
import { Failover } from '../../../manager/consensus/failover.ts';
import { Membership } from '../../../manager/consensus/membership.ts';
import { reachableAddr } from '../../../manager/consensus/membership-service.ts';
import { frame, unframe } from '../../../manager/consensus/piece-stream.ts';
import { Proposals } from '../../../manager/consensus/proposals.ts';
import { newRaftId } from '../../../manager/consensus/raft-id.ts';
import { Reads } from '../../../manager/consensus/reads.ts';
import { Ticker } from '../../../manager/consensus/ticker.ts';
import { Vault } from '../../../manager/consensus/vault.ts';
import { fromWire, toWire } from '../../../manager/consensus/wire.ts';
import { RaftMessage } from '../../../proto/gen/swarm/raft.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { KEYS, keyRing } from './harness.ts';

describe('messages on the wire', () => {
  const u53 = fc.maxSafeNat();
  const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((b) => Buffer.from(b));
  const entry = fc
    .record({
      term: u53,
      index: u53,
      type: fc.constantFrom(EntryType.Normal, EntryType.ConfChange, EntryType.ConfChangeV2),
      data: bytes,
    })
    .map((fields) => ({ ...fields }));
  const peerMessage: fc.Arbitrary<Message> = fc
    .record({
      type: fc.constantFrom(MessageType.App, MessageType.VoteResp, MessageType.Heartbeat),
      to: id,
      from: id,
      term: u53,
      logTerm: u53,
      index: u53,
      entries: fc.array(entry, { maxLength: 5 }),
      commit: u53,
      vote: u53,
      reject: fc.boolean(),
      rejectHint: u53,
      context: fc.option(bytes, { nil: undefined }),
    })
    .map((fields) => message(fields));

  const travel = (sent: Message) =>
    fromWire(RaftMessage.decode(RaftMessage.encode(toWire(sent)).finish()));

  it('arrive as they were sent', () => {
    fc.assert(
      fc.property(peerMessage, (sent) => {
        assert.deepEqual(message(travel(sent)!), sent);
      }),
    );
  });

  it('keep the snapshot and its membership', () => {
    const confState = { voters: [1], learners: [2], votersOutgoing: [], learnersNext: [] };
    const snapshot = {
      metadata: { confState: { ...confState, autoLeave: true }, index: 7, term: 3 },
      data: Buffer.from('membership'),
    };
    const sent = message({ type: MessageType.Snap, to: 2, from: 1, snapshot });
    assert.deepEqual(travel(sent)?.snapshot, snapshot);
  });

  it('are not those of the node itself', () => {
    for (const type of [MessageType.Hup, MessageType.Prop, MessageType.StorageAppendResp]) {
      assert.equal(travel(message({ type, to: 2, from: 1 })), undefined);
    }
    assert.equal(travel(message({ type: MessageType.App, to: 2, from: 0 })), undefined);
    assert.equal(travel(message({ type: MessageType.Snap, to: 2, from: 1 })), undefined);
  });
});

it('pieces of a snapshot come out as they went in', async () => {
  const piece = fc.uint8Array({ maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(fc.array(piece), fc.integer({ min: 1, max: 40 }), async (pieces, size) => {
      const chunks: Buffer[] = [];
      const source = (async function* () {
        yield* pieces;
      })();
      for await (const chunk of frame(source, { clock: systemClock, chunkBytes: size })) {
        chunks.push(chunk);
      }
      assert.ok(chunks.slice(0, -1).every(({ length }) => length === size));
      const back: number[][] = [];
      for await (const out of unframe(
        (async function* () {
          yield* chunks;
        })(),
      )) {
        back.push([...out]);
      }
      assert.deepEqual(
        back,
        pieces.map((each) => [...each]),
      );
    }),
  );
});

describe('the ticker', () => {
  it('keeps the pace, and catches up two ticks at most', () => {
    const clock = new VirtualClock();
    let ticks = 0;
    const ticker = new Ticker(clock, 100, () => ticks++);
    ticker.start();
    clock.pass(1000);
    assert.equal(ticks, 10);
    clock.freeze(5000);
    assert.equal(ticks, 12);
    clock.pass(1000);
    assert.equal(ticks, 22);
    ticker.stop();
    clock.pass(1000);
    assert.equal(ticks, 22);
  });
});

describe('reads', () => {
  function setUp() {
    const clock = new VirtualClock();
    const asked: Uint8Array[] = [];
    const state = { applied: 0, leaderless: false };
    const reads = new Reads(
      { clock, random: systemRandom },
      {
        request: (ctx) => asked.push(ctx),
        isLeaderless: () => state.leaderless,
        wake: () => undefined,
        appliedIndex: () => state.applied,
      },
    );
    return { clock, asked, state, reads };
  }

  it('share a round, but not one that began before them', async () => {
    const { asked, reads, state } = setUp();
    state.applied = 10;
    const early = [reads.read(), reads.read()];
    reads.pump();
    const late = reads.read();
    reads.pump();
    assert.equal(asked.length, 1);
    reads.answered(asked[0]!, 5);
    assert.deepEqual(await Promise.all(early), [5, 5]);
    reads.pump();
    assert.equal(asked.length, 2);
    reads.answered(asked[1]!, 7);
    assert.equal(await late, 7);
  });

  it('wait until the index is applied', async () => {
    const { asked, reads } = setUp();
    let done = false;
    const read = reads.read().then(() => {
      done = true;
    });
    reads.pump();
    reads.answered(asked[0]!, 5);
    reads.applied(4);
    await new Promise(setImmediate);
    assert.equal(done, false);
    reads.applied(5);
    await read;
  });

  it('ask again under a new context, and take no answer to the old one', async () => {
    const { asked, clock, reads, state } = setUp();
    state.applied = 10;
    const read = reads.read();
    reads.pump();
    clock.pass(499);
    reads.tick();
    assert.equal(asked.length, 1);
    clock.pass(1);
    reads.tick();
    assert.equal(asked.length, 2);
    assert.notDeepEqual(asked[0], asked[1]);
    reads.answered(asked[0]!, 1);
    reads.answered(asked[1]!, 9);
    assert.equal(await read, 9);
  });

  it('fail when there is no leader for too long', async () => {
    const { reads, state } = setUp();
    const read = reads.read();
    reads.pump();
    state.leaderless = true;
    reads.tick();
    await assert.rejects(read, { code: 'SWM_NO_LEADER' });
    await assert.rejects(reads.read(), { code: 'SWM_NO_LEADER' });
  });
});

it('proposals are settled once, in order', async () => {
  const clock = new VirtualClock();
  const latencies: number[] = [];
  const proposals = new Proposals({ clock, onProposed: (ms) => latencies.push(ms) });
  const settled: string[] = [];
  for (let i = 1; i <= 4; i++) {
    proposals.add(i, 10).then(
      () => settled.push(`${i} applied`),
      () => settled.push(`${i} lost`),
    );
  }
  assert.equal(proposals.bytes, 40);
  clock.pass(7);
  proposals.applied(2);
  assert.deepEqual(latencies, [7, 7]);
  assert.equal(proposals.bytes, 20);
  proposals.rejectAll(new SwarmError('SWM_UNAVAILABLE', 'lost'));
  proposals.applied(4);
  await new Promise(setImmediate);
  assert.deepEqual(settled, ['1 applied', '2 applied', '3 lost', '4 lost']);
  assert.equal(proposals.bytes, 0);
});

it('a proposal too large, and those above what may wait, are refused', () => {
  const proposals = new Proposals({ clock: new VirtualClock() });
  const [largest, room] = [2 * 1024 * 1024, 64 * 1024 * 1024];
  const refused = (message: string) => ({ code: 'SWM_RESOURCE_EXHAUSTED', message });
  assert.throws(
    () => proposals.checkRoom(largest + 1),
    refused('The change takes 2097153 bytes, and the limit is 2097152.'),
  );
  for (let index = 1; index <= room / largest; index++) {
    proposals.checkRoom(largest);
    proposals.add(index, largest);
  }
  assert.throws(
    () => proposals.checkRoom(1),
    refused('67108864 bytes of changes wait to be replicated already.'),
  );
  proposals.applied(1);
  proposals.checkRoom(largest);
});

describe('failover', () => {
  function setUp(selfId: number) {
    const clock = new VirtualClock();
    const calls: string[] = [];
    let lead = 2;
    const failover = new Failover(
      { clock, random: systemRandom },
      {
        selfId,
        leaderId: () => lead,
        voters: () => [1, 2, 3],
        forgetLeader: () => {
          lead = 0;
          calls.push('forget');
        },
        campaign: () => calls.push('campaign'),
      },
    );
    return {
      clock,
      calls,
      failover,
      elect: (id: number) => {
        lead = id;
      },
    };
  }

  it('campaigns in the order of ids', () => {
    const first = setUp(1);
    first.failover.refused(2);
    first.clock.pass(50);
    assert.deepEqual(first.calls, ['forget', 'campaign']);
    const second = setUp(3);
    second.failover.refused(2);
    second.clock.pass(50);
    assert.deepEqual(second.calls, ['forget']);
    second.clock.pass(200);
    assert.deepEqual(second.calls, ['forget', 'campaign']);
  });

  it('leaves it to a new leader', () => {
    const { clock, calls, failover, elect } = setUp(3);
    failover.refused(2);
    elect(1);
    clock.pass(1000);
    assert.deepEqual(calls, ['forget']);
  });

  it('does not care for others than the leader', () => {
    const { clock, calls, failover } = setUp(3);
    failover.refused(1);
    clock.pass(1000);
    assert.deepEqual(calls, []);
  });
});

describe('the vault', () => {
  it('never seals twice the same way', () => {
    const vault = new Vault({ keys: KEYS, random: systemRandom });
    const sealed = Array.from({ length: 100 }, () =>
      vault.seal('x', Buffer.from('y')).toString('hex'),
    );
    assert.equal(new Set(sealed).size, 100);
  });

  it('notices every change', () => {
    const vault = new Vault({ keys: KEYS, random: systemRandom });
    const sealed = vault.seal('name', Buffer.from('plain text'));
    assert.equal(vault.open('name', sealed).toString(), 'plain text');
    assert.throws(() => vault.open('other', sealed), { code: 'SWM_DAMAGED' });
    for (let i = 0; i < sealed.length; i++) {
      const changed = Buffer.from(sealed);
      changed[i]! ^= 1;
      assert.throws(() => vault.open('name', changed), { code: 'SWM_DAMAGED' }, `byte ${i}`);
      assert.throws(() => vault.open('name', sealed.subarray(0, i)), { code: 'SWM_DAMAGED' });
    }
    const stranger = new Vault({ keys: keyRing(2), random: systemRandom });
    assert.throws(() => stranger.open('name', sealed), { code: 'SWM_LOCKED' });
  });
});

it('membership remembers who was removed', () => {
  const membership = new Membership();
  const member = { raftId: 5, nodeId: 'n', addr: 'a:1', learner: false };
  membership.apply({ type: ConfChangeType.AddLearnerNode, nodeId: 5 }, member);
  assert.deepEqual(membership.get(5), { ...member, learner: true });
  membership.apply({ type: ConfChangeType.UpdateNode, nodeId: 5 }, { ...member, addr: 'b:1' });
  assert.deepEqual(membership.byNodeId('n'), { ...member, addr: 'b:1', learner: true });
  membership.apply({ type: ConfChangeType.AddNode, nodeId: 5 }, undefined);
  assert.equal(membership.get(5)?.learner, false);
  membership.apply({ type: ConfChangeType.RemoveNode, nodeId: 5 }, undefined);
  assert.deepEqual(new Membership(membership.record()).record(), { members: [], removed: [5] });
});

it('raft ids are safe integers that nobody has', () => {
  const taken = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    const id = newRaftId(systemRandom, (each) => taken.has(each));
    assert.ok(Number.isSafeInteger(id) && id > 0 && id < 2 ** 52);
    taken.add(id);
  }
  const numbers = [
    [0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0, 2, 0],
  ];
  const random = { float: () => 0, bytes: () => Uint8Array.from(numbers.shift()!) };
  assert.equal(
    newRaftId(random, (id) => id === 16),
    32,
  );
});

it('an address without a host is where the call came from', () => {
  assert.equal(reachableAddr('10.0.0.1:2377', '10.0.0.9:555'), '10.0.0.1:2377');
  assert.equal(reachableAddr('0.0.0.0:2377', '10.0.0.9:555'), '10.0.0.9:2377');
  assert.equal(reachableAddr(':2377', '10.0.0.9:555'), '10.0.0.9:2377');
  assert.equal(reachableAddr('[::]:2377', '[::ffff:10.0.0.9]:555'), '10.0.0.9:2377');
  assert.equal(reachableAddr('[::]:2377', '[fd00::9]:555'), '[fd00::9]:2377');
  assert.equal(reachableAddr('manager.example:2377', '10.0.0.9:555'), 'manager.example:2377');
});
