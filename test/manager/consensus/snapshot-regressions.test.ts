/**
 * Regressions of servers around Raft with snapshots, by the numbers of the list in test/raft/README.md.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { ChannelCredentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { type Message, MessageType, message, RawNode } from 'raft-ts';
import { systemClock } from '../../../common/clock.ts';
import { SwarmError } from '../../../common/errors.ts';
import { toServiceError } from '../../../common/grpc-errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { coreConfig } from '../../../manager/consensus/core-config.ts';
import { LogDisk } from '../../../manager/consensus/log-disk.ts';
import type { SnapshotManifest } from '../../../manager/consensus/log-records.ts';
import { LogTail } from '../../../manager/consensus/log-tail.ts';
import { frame } from '../../../manager/consensus/piece-stream.ts';
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
import { KEYS, TestManager, until } from './harness.ts';
import { VirtualClock } from './virtual-clock.ts';

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
  root = await mkdtemp(join(tmpdir(), 'snapshot-regressions-'));
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
  const chunks = await allOf(frame(pieces, { clock: systemClock, chunkBytes: 64 }));
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
  const store = new SnapshotStore(
    { clock: systemClock, random: systemRandom, disk },
    { chunkBytes: 10_000 },
  );
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
