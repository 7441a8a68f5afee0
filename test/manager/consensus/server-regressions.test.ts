/**
 * Regressions of servers around Raft, by the numbers of the list in test/raft/README.md, which also says
 * where the others are, and which cannot happen here.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { ChannelCredentials, Server, ServerCredentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { type Message, MessageType, message, RawNode } from 'raft-ts';
import { systemClock } from '../../../common/clock.ts';
import { SwarmError } from '../../../common/errors.ts';
import { toServiceError } from '../../../common/grpc-errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { coreConfig } from '../../../manager/consensus/core-config.ts';
import type { ConsensusInit } from '../../../manager/consensus/index.ts';
import { Leadership } from '../../../manager/consensus/leadership.ts';
import { LogDisk } from '../../../manager/consensus/log-disk.ts';
import type { SnapshotManifest } from '../../../manager/consensus/log-records.ts';
import { LogTail } from '../../../manager/consensus/log-tail.ts';
import { frame } from '../../../manager/consensus/piece-stream.ts';
import { Proposals } from '../../../manager/consensus/proposals.ts';
import { SnapshotExchange } from '../../../manager/consensus/snapshot-exchange.ts';
import { receiveSnapshot } from '../../../manager/consensus/snapshot-receiver.ts';
import { sendSnapshot } from '../../../manager/consensus/snapshot-sender.ts';
import { SnapshotStore } from '../../../manager/consensus/snapshot-store.ts';
import { Vault } from '../../../manager/consensus/vault.ts';
import { toWire } from '../../../manager/consensus/wire.ts';
import {
  RaftMembership,
  RaftService,
  type RaftSnapshotChunk,
} from '../../../proto/gen/swarm/raft.ts';
import { LOOPBACK } from '../../support/loopback.ts';
import { KEYS, TestCluster, TestManager, until, write } from './harness.ts';
import { VirtualClock } from './virtual-clock.ts';

const FAST: Partial<ConsensusInit> = { tickMs: 50 };
const LEADER = 5;
const MEMBER = 7;
const MEMBERSHIP = RaftMembership.fromPartial({
  members: [
    // Nobody is there: all that comes from the leader is made up by the test.
    { raftId: LEADER, nodeId: 'leader', addr: `${LOOPBACK}:1` },
    { raftId: MEMBER, nodeId: 'member', addr: `${LOOPBACK}:2`, learner: true },
  ],
});

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'server-regressions-'));
});
after(() => rm(root, { recursive: true, force: true }));

const BETWEEN = { from: LEADER, to: MEMBER };

const freshDir = () => mkdtemp(join(root, 'log-'));

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The leader's message for a snapshot at `index`. */
function snapMessage(index: number, to = MEMBER): Message {
  const confState = {
    voters: [LEADER],
    learners: [MEMBER],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const data = RaftMembership.encode(MEMBERSHIP).finish();
  const snapshot = { metadata: { index, term: 3, confState }, data };
  return message({ type: MessageType.Snap, from: LEADER, to, term: 3, snapshot });
}

/** What comes on the stream for a snapshot of a machine that has these texts. */
async function chunksOf(index: number, texts: readonly string[]): Promise<RaftSnapshotChunk[]> {
  const entries = texts.map((text, i) => ({ index: i + 1, text }));
  const pieces = each([Buffer.alloc(100), Buffer.from(JSON.stringify(entries))]);
  const chunks = await allOf(frame(pieces, { chunkBytes: 64 }));
  return chunks.map((data, i) => ({
    message: i === 0 ? toWire(snapMessage(index)) : undefined,
    data,
    crc32: crc32(data),
    last: i === chunks.length - 1,
  }));
}

describe('41: two snapshots within a short time', () => {
  let member: TestManager;
  afterEach(() => member.kill());

  for (const order of [
    [100, 200],
    [200, 100],
    [100, 100],
  ] as const) {
    it(`the later state wins, and survives a restart: ${order.join(', then ')}`, async () => {
      member = new TestManager('member', await freshDir());
      await member.start({ join: { raftId: MEMBER, membership: MEMBERSHIP } });
      let open = () => {};
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      const restore = member.machine.restore.bind(member.machine);
      member.machine.restore = async (index, pieces) => {
        await gate;
        return restore(index, pieces);
      };
      const receive = async (index: number) => {
        const stream = each(await chunksOf(index, [`as of ${index}`]));
        return member.api.peers.receiveSnapshot(LEADER, stream, () => undefined);
      };
      // The second is there before the first one has reached the state machine.
      await Promise.all(order.map(receive));
      open();
      const last = Math.max(...order);
      await until(() => member.api.appliedIndex === last, 'the later one is in force');
      assert.deepEqual(member.machine.texts, [`as of ${last}`]);
      assert.deepEqual(member.failures, []);
      await member.kill();
      await member.start({});
      assert.deepEqual(member.machine.texts, [`as of ${last}`]);
      assert.equal(member.api.appliedIndex, last);
    });
  }
});

it('a snapshot in the name of another manager than the one that sends it is refused', async () => {
  const member = new TestManager('member', await freshDir());
  await member.start({ join: { raftId: MEMBER, membership: MEMBERSHIP } });
  try {
    const stream = each(await chunksOf(100, ['not from 6']));
    const { peers } = member.api;
    await assert.rejects(
      peers.receiveSnapshot(6, stream, () => undefined),
      /in the name of another/,
    );
    assert.equal(member.api.appliedIndex, 0);
  } finally {
    await member.kill();
  }
});

/** A server whose only business is to take snapshots. */
class SnapshotSink {
  readonly received: Buffer[] = [];
  streams = 0;
  addr = '';
  /** Called before the stream is answered. */
  answering: () => Promise<void> = async () => undefined;
  readonly #server = new Server();

  async listen(): Promise<void> {
    const streamSnapshot = (
      call: AsyncIterable<RaftSnapshotChunk>,
      answer: (error: ReturnType<typeof toServiceError> | null, ack?: object) => void,
    ) => {
      this.streams++;
      this.#take(call).then(
        () => answer(null, {}),
        (error) => answer(toServiceError(error)),
      );
    };
    this.#server.addService(RaftService, { streamSnapshot } as never);
    const port = await new Promise<number>((resolve, reject) => {
      const credentials = ServerCredentials.createInsecure();
      this.#server.bindAsync(`${LOOPBACK}:0`, credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    this.addr = `${LOOPBACK}:${port}`;
  }

  async #take(call: AsyncIterable<RaftSnapshotChunk>): Promise<void> {
    const chunks = await allOf(call);
    await this.answering();
    for (const chunk of chunks) assert.equal(crc32(chunk.data), chunk.crc32);
    assert.equal(chunks.at(-1)?.last, true);
    this.received.push(Buffer.concat(chunks.map(({ data }) => data)));
  }

  close(): void {
    this.#server.forceShutdown();
  }
}

const DIAL = { dial: () => ({ credentials: ChannelCredentials.createInsecure() }) };

interface Sender {
  readonly disk: LogDisk;
  readonly store: SnapshotStore;
  readonly tail: LogTail;
  readonly manifest: SnapshotManifest;
  readonly pieces: readonly Buffer[];
}

/** A disk with one snapshot of odd pieces, as a leader has it. */
async function senderWithSnapshot(): Promise<Sender> {
  const vault = new Vault({ keys: KEYS, random: systemRandom });
  const disk = new LogDisk({ vault }, { dir: await freshDir() });
  await disk.open();
  const store = new SnapshotStore({ random: systemRandom, disk }, { chunkBytes: 10_000 });
  const pieces = Array.from({ length: 40 }, (_, i) =>
    Buffer.from(systemRandom.bytes(1 + ((i * 997) % 3_000))),
  );
  const { id } = store.holdNew();
  const written = await store.write(id, each(pieces));
  const metadata = {
    index: 100,
    term: 3,
    confState: snapMessage(100).snapshot!.metadata.confState,
  };
  const manifest: SnapshotManifest = { id, ...metadata, membership: MEMBERSHIP, ...written };
  const identity = { format: 1, raftId: LEADER, nodeId: 'leader' } as const;
  const hardState = { term: 3, vote: 0, commit: 100 };
  await disk.write({ identity, hardState, snapshot: manifest, sync: true });
  const tail = new LogTail({ identity, hardState, snapshot: manifest, entries: [], prevTerm: 3 });
  return { disk, store, tail, manifest, pieces };
}

describe('sending snapshots', () => {
  let sender: Sender;
  let sinks: SnapshotSink[];
  before(async () => {
    sender = await senderWithSnapshot();
    sinks = [new SnapshotSink(), new SnapshotSink()];
    for (const sink of sinks) await sink.listen();
  });
  after(async () => {
    for (const sink of sinks) sink.close();
    await sender.disk.close();
  });
  afterEach(() => {
    for (const sink of sinks) {
      sink.received.length = 0;
      sink.streams = 0;
      sink.answering = async () => undefined;
    }
  });

  const stream = (sink: SnapshotSink, chunks: AsyncIterable<Buffer>, clock = systemClock) => {
    const place = { nodeId: 'member', addr: sink.addr };
    const transfer = { place, fromAddr: 'x:1', message: snapMessage(100), chunks };
    return sendSnapshot({ ...DIAL, clock }, transfer, new AbortController().signal);
  };

  it('42: a snapshot that is sent to two at once arrives whole, and stays what it was', async () => {
    const { store, manifest, pieces } = sender;
    const stored = Buffer.concat(await allOf(store.chunks(manifest)));
    await Promise.all(sinks.map((sink) => stream(sink, store.chunks(manifest))));
    for (const sink of sinks) assert.ok(sink.received[0]!.equals(stored));
    const after = await allOf(store.pieces(manifest));
    assert.ok(after.every((piece, i) => pieces[i]!.equals(piece)));
    assert.equal(after.length, pieces.length);
  });

  it('42: buffers that somebody else holds are sent as they are, twice over', async () => {
    const shared = [1, 2, 3].map((fill) => Buffer.alloc(5_000, fill));
    const copies = shared.map((chunk) => Buffer.from(chunk));
    await Promise.all(sinks.map((sink) => stream(sink, each(shared))));
    for (const sink of sinks) assert.ok(sink.received[0]!.equals(Buffer.concat(copies)));
    assert.ok(shared.every((chunk, i) => chunk.equals(copies[i]!)));
  });

  it('43: a transfer may take minutes as a whole, as long as each chunk comes in time', async () => {
    const clock = new VirtualClock();
    async function* slowly(pauseMs: number) {
      for (let i = 0; i < 30; i++) {
        clock.advance(pauseMs);
        yield Buffer.alloc(10, i);
      }
    }
    // One is held back, to be marked if it is the last: the first that is sent is the second that came.
    await stream(sinks[0]!, slowly(4_500), clock);
    assert.equal(sinks[0]!.received[0]!.length, 300);
    await assert.rejects(stream(sinks[0]!, slowly(11_000), clock), 'a chunk is missed');
  });

  it('43: the confirmation at the end is waited for no longer than a chunk', async () => {
    const clock = new VirtualClock();
    let sent = false;
    sinks[0]!.answering = () => {
      sent = true;
      return new Promise(() => undefined);
    };
    const outcome = stream(sinks[0]!, each([Buffer.alloc(10)]), clock);
    outcome.catch(() => undefined);
    await until(() => sent, 'all chunks are there');
    clock.advance(10_001);
    await assert.rejects(outcome);
  });

  const exchangeWith = (addr: string | undefined, signal: AbortSignal) => {
    const { store, tail } = sender;
    const reports: string[] = [];
    const dialled: string[] = [];
    const dial = (nodeId: string) => {
      dialled.push(nodeId);
      return DIAL.dial();
    };
    const exchange = new SnapshotExchange(
      { dial, clock: systemClock, logger: silentLogger, tail, snapshots: store },
      {
        selfAddr: 'x:1',
        placeOf: () => (addr === undefined ? undefined : { nodeId: 'member', addr }),
        report: (id, ok) => reports.push(`${id} ${ok}`),
        step: () => undefined,
        signal,
      },
    );
    return { exchange, reports, dialled };
  };
  const open = () => new AbortController().signal;

  it('44: what is asked for twice is sent once at a time, and reported once', async () => {
    const [sink] = sinks;
    const { exchange, reports, dialled } = exchangeWith(sink!.addr, open());
    exchange.send(snapMessage(100));
    exchange.send(snapMessage(100));
    assert.equal(dialled.length, 1);
    await until(() => reports.length > 0, 'there is a report');
    // Nothing else is under way that could report: what is sent next is the second stream.
    assert.equal(exchange.lowestIndex, Number.POSITIVE_INFINITY);
    exchange.send(snapMessage(100));
    await until(() => reports.length > 1, 'there is another one');
    assert.deepEqual(reports, [`${MEMBER} true`, `${MEMBER} true`]);
    assert.equal(sink!.streams, 2);
  });

  it('44: a failure is reported once, whatever fails', async () => {
    const unknown = exchangeWith(undefined, open());
    unknown.exchange.send(snapMessage(100));
    assert.deepEqual(unknown.reports, [`${MEMBER} false`]);

    const outdated = exchangeWith(sinks[0]!.addr, open());
    outdated.exchange.send(snapMessage(99));
    assert.deepEqual(outdated.reports, [`${MEMBER} false`], 'another snapshot took its place');

    sinks[0]!.answering = () => Promise.reject(new SwarmError('SWM_UNAVAILABLE', 'no room'));
    const refused = exchangeWith(sinks[0]!.addr, open());
    refused.exchange.send(snapMessage(100));
    await until(() => refused.reports.length > 0, 'the refusal is reported');
    assert.deepEqual(refused.reports, [`${MEMBER} false`]);

    let ending = false;
    sinks[0]!.answering = () => {
      ending = true;
      return new Promise(() => undefined);
    };
    const abort = new AbortController();
    const aborted = exchangeWith(sinks[0]!.addr, abort.signal);
    aborted.exchange.send(snapMessage(100));
    await until(() => ending, 'it is under way');
    abort.abort();
    await until(() => aborted.reports.length > 0, 'the end is reported');
    assert.deepEqual(aborted.reports, [`${MEMBER} false`]);
  });
});

it('43: a receiver waits for each chunk, and not for the whole', async () => {
  const snapshots = {
    holdNew: () => ({ id: 'x', release: () => undefined }),
    writeChunk: () => {},
  };
  const chunks = await chunksOf(
    100,
    Array.from({ length: 40 }, (_, i) => `text ${i}`),
  );
  assert.ok(chunks.length > 20);
  for (const [pauseMs, cancels] of [
    [14_000, 0],
    [16_000, chunks.length],
  ] as const) {
    const clock = new VirtualClock();
    let cancelled = 0;
    const slowly = async function* () {
      for (const chunk of chunks) {
        clock.advance(pauseMs);
        yield chunk;
      }
    };
    const components = { clock, snapshots: snapshots as unknown as SnapshotStore };
    const { manifest } = await receiveSnapshot(components, BETWEEN, slowly(), () => {
      cancelled++;
    });
    assert.equal(manifest.chunks, chunks.length);
    assert.equal(cancelled, cancels, `${pauseMs} ms between chunks`);
    clock.advance(60_000);
    assert.equal(cancelled, cancels, 'nothing is watched any more at the end');
  }
});

describe('members', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('47: a new cluster of one begins with that one in it and all others out', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    await write(leader, 'a');
    const [survivor, other] = await cluster.followers();
    await until(() => survivor!.machine.texts.length === 1, 'it has all');
    const ids = [leader, other!].map(({ api }) => api.raftId).sort((a, b) => a - b);
    const { raftId } = survivor!.api;
    await Promise.all(cluster.managers.map((manager) => manager.kill()));
    await survivor!.start({ ...FAST, forceNewCluster: true });
    // As soon as it is started, and not only when it has led for a while.
    const { members, removed } = survivor!.api.membership();
    assert.deepEqual(
      members.map((member) => [member.raftId, member.learner]),
      [[raftId, false]],
    );
    assert.deepEqual(removed, ids);
    assert.equal(survivor!.removed, 0);
    // The others are refused from the first moment on: they cannot become voters of it again.
    for (const from of ids) {
      const peer = { nodeId: 'node-x', from, to: raftId, addr: `${LOOPBACK}:1` };
      assert.throws(() => survivor!.api.peers.accept(peer, () => undefined), {
        code: 'SWM_NOT_FOUND',
      });
    }
    await until(() => survivor!.api.isLeader, 'it leads');
    await write(survivor!, 'b');
    assert.deepEqual(survivor!.machine.texts, ['a', 'b']);
  });

  it('47: also of one that was removed before, which gets a new id', async () => {
    cluster = await TestCluster.create(2, FAST);
    const leader = await cluster.leader();
    await write(leader, 'a');
    const [gone] = await cluster.followers();
    const { raftId } = gone!.api;
    await leader.api.removeMember(raftId);
    await until(() => gone!.removed === 1, 'it knows');
    await Promise.all(cluster.managers.map((manager) => manager.kill()));
    await gone!.start({ ...FAST, forceNewCluster: true });
    await until(() => gone!.api.isLeader, 'it leads');
    assert.notEqual(gone!.api.raftId, raftId);
    assert.equal(gone!.removed, 1);
    await write(gone!, 'b');
    assert.deepEqual(gone!.machine.texts, ['a', 'b']);
    assert.deepEqual(
      gone!.api.membership().members.map((member) => member.raftId),
      [gone!.api.raftId],
    );
  });

  it('48: a manager that joins again from elsewhere is the same voter at a new address', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    const [mover] = await cluster.followers();
    const { raftId } = mover!.api;
    const before = leader.api.members().map((member) => [member.raftId, member.learner]);
    const elsewhere = new TestManager(mover!.nodeId, await freshDir());
    await elsewhere.listen();
    try {
      const request = { nodeId: mover!.nodeId, addr: elsewhere.addr, raftId };
      const twice = await Promise.all([
        leader.api.addMember(request),
        leader.api.addMember(request),
      ]);
      for (const member of twice) {
        assert.deepEqual([member.raftId, member.addr], [raftId, elsewhere.addr]);
      }
      const after = leader.api.members();
      assert.deepEqual(
        after.map((member) => [member.raftId, member.learner]),
        before,
      );
      assert.equal(after.find((member) => member.raftId === raftId)?.addr, elsewhere.addr);
    } finally {
      await elsewhere.kill();
    }
  });

  it('49: a proposal of the moment in which leadership is lost fails, and only fails', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    await write(leader, 'a');
    const [follower] = await cluster.followers();
    const { raftId } = leader.api;
    const { term } = leader.api.stats();
    const vote = message({
      type: MessageType.Heartbeat,
      from: follower!.api.raftId,
      to: raftId,
      term: term + 5,
    });
    // In one turn of the event loop: the core has stepped down already, and nobody knows it yet.
    leader.api.peers.receive(follower!.api.raftId, [toWire(vote)]);
    assert.equal(leader.api.isLeader, true);
    const outcomes: string[] = [];
    const waits = ['b', 'c'].map((text) =>
      leader.api.propose(Buffer.from(text)).committed.then(
        () => outcomes.push('committed'),
        (error: SwarmError) => outcomes.push(error.code),
      ),
    );
    await Promise.all(waits);
    assert.deepEqual(outcomes, ['SWM_UNAVAILABLE', 'SWM_UNAVAILABLE']);
    const next = await cluster.leader();
    // Entries of others at the same indexes are no success of those.
    await write(next, 'd', 'e', 'f');
    await until(() => leader.machine.texts.length === 4, 'it has what the new leader has');
    assert.deepEqual(leader.machine.texts, ['a', 'd', 'e', 'f']);
  });

  it('50: a leader that hears from nobody gives up, and so do its proposals', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    await Promise.all((await cluster.followers()).map((manager) => manager.kill()));
    const lost = leader.api.propose(Buffer.from('x')).committed;
    await assert.rejects(lost, { code: 'SWM_UNAVAILABLE' });
    assert.equal(leader.api.isLeader, false);
    assert.throws(() => leader.api.propose(Buffer.from('y')), { code: 'SWM_NOT_LEADER' });
  });
});

/** Proposals as a leader registers them, beside what should become of each. */
class ProposalModel {
  readonly proposals = new Proposals({ clock: new VirtualClock() });
  readonly leadership: Leadership;
  readonly #all: { index: number; expected?: string; readonly outcomes: string[] }[] = [];
  #last = 0;
  #applied = 0;
  #term = 0;

  constructor() {
    const onLost = () => this.proposals.rejectAll(new SwarmError('SWM_UNAVAILABLE', 'lost'));
    this.leadership = new Leadership({ logger: silentLogger }, { onLost });
  }

  readonly events: Readonly<Record<string, () => void>> = {
    propose: () => {
      if (!this.leadership.isLeader) return;
      const each = { index: ++this.#last, outcomes: [] as string[] };
      this.#all.push(each);
      this.proposals.add(each.index, 1).then(
        () => each.outcomes.push('applied'),
        () => each.outcomes.push('lost'),
      );
    },
    apply: () => {
      if (this.#applied === this.#last) return;
      this.leadership.applied(++this.#applied);
      this.proposals.applied(this.#applied);
      this.#settle('applied', (index) => index <= this.#applied);
    },
    lose: () => {
      this.leadership.lost();
      this.#settle('lost', () => true);
      // The next leader has entries of its own at the indexes that were not committed.
      this.#last = this.#applied;
    },
    elect: () => {
      this.events['lose']!();
      this.leadership.elected(++this.#term, ++this.#last);
    },
  };

  #settle(how: string, isMeant: (index: number) => boolean): void {
    for (const each of this.#all) {
      if (each.expected === undefined && isMeant(each.index)) each.expected = how;
    }
  }

  check(): void {
    for (const { expected, outcomes } of this.#all) {
      assert.deepEqual(outcomes, expected === undefined ? [] : [expected]);
    }
    const open = this.#all.filter(({ expected }) => expected === undefined);
    assert.equal(this.proposals.bytes, open.length);
  }
}

it('49: each proposal has one outcome, in any order of registering, applying and losing', () => {
  const event = fc.constantFrom('propose', 'propose', 'apply', 'apply', 'lose', 'elect');
  return fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40, size: 'max' }), async (events) => {
      const model = new ProposalModel();
      for (const each of ['elect', 'apply', ...events]) model.events[each]!();
      await new Promise(setImmediate);
      model.check();
    }),
    { numRuns: 300 },
  );
});

it('50: the core is run with all that it is to be run with', () => {
  const init = { electionTicks: 17, heartbeatTicks: 3 } as ConsensusInit;
  const config = coreConfig({ random: systemRandom, logger: silentLogger }, init, 9);
  const { id, electionTick, heartbeatTick, checkQuorum, preVote, stepDownOnRemoval } = config;
  assert.deepEqual(
    { id, electionTick, heartbeatTick, checkQuorum, preVote, stepDownOnRemoval },
    {
      id: 9,
      electionTick: 17,
      heartbeatTick: 3,
      checkQuorum: true,
      preVote: true,
      stepDownOnRemoval: true,
    },
  );
  assert.equal(config.disableProposalForwarding, true);
  assert.ok(config.maxInflightBytes! >= config.maxSizePerMsg);
});

it('51: a campaign that cannot be is no error, at a manager in whatever state', async () => {
  const { tail, disk } = await senderWithSnapshot();
  try {
    const random = { random: () => 0.5 };
    const shared = coreConfig({ random: systemRandom, logger: silentLogger }, {} as never, MEMBER);
    const start = () =>
      new RawNode({ ...shared, ...random, storage: tail, applied: 100, asyncStorageWrites: true });
    const learner = start();
    learner.campaign();
    for (let i = 0; i < 100; i++) learner.tick();
    assert.equal(learner.status().hardState.term, 3, 'a learner');
    const halted = start();
    halted.step(
      message({ type: MessageType.Heartbeat, from: LEADER, to: MEMBER, term: 3, commit: 999 }),
    );
    assert.match(halted.status().fault ?? '', /out of range/);
    halted.campaign();
    for (let i = 0; i < 100; i++) halted.tick();
    assert.equal(halted.hasReady(), false, 'one that has halted');
  } finally {
    await disk.close();
  }
});
