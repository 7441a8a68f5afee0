/**
 * Regressions of servers around Raft that send snapshots, by the numbers of the list in
 * test/raft/README.md.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { ChannelCredentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { systemClock } from '../../../common/clock.ts';
import { SwarmError } from '../../../common/errors.ts';
import { toServiceError } from '../../../common/grpc-errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { SnapshotExchange } from '../../../manager/consensus/snapshot-exchange.ts';
import { sendSnapshot } from '../../../manager/consensus/snapshot-sender.ts';
import { RaftService, type RaftSnapshotChunk } from '../../../proto/gen/swarm/raft.ts';
import { LOOPBACK } from '../../support/loopback.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { until } from './harness.ts';
import {
  allOf,
  each,
  MEMBER,
  type SnapshotOnDisk,
  snapMessage,
  snapshotOnDisk,
} from './snapshot-fixture.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'snapshot-sending-'));
});
after(() => rm(root, { recursive: true, force: true }));

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

describe('sending snapshots', () => {
  let sender: SnapshotOnDisk;
  let sinks: SnapshotSink[];
  before(async () => {
    sender = await snapshotOnDisk(root);
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
        clock.pass(pauseMs);
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
    clock.pass(10_001);
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
