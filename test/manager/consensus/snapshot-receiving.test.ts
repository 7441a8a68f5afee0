/**
 * Regressions of servers around Raft that take snapshots, by the numbers of the list in
 * test/raft/README.md.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { systemClock } from '../../../common/clock.ts';
import { frame } from '../../../manager/consensus/piece-stream.ts';
import { receiveSnapshot } from '../../../manager/consensus/snapshot-receiver.ts';
import type { SnapshotStore } from '../../../manager/consensus/snapshot-store.ts';
import { toWire } from '../../../manager/consensus/wire.ts';
import type { RaftSnapshotChunk } from '../../../proto/gen/swarm/raft.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { TestManager, until } from './harness.ts';
import { allOf, each, LEADER, MEMBER, MEMBERSHIP, snapMessage } from './snapshot-fixture.ts';

const BETWEEN = { from: LEADER, to: MEMBER };

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'snapshot-receiving-'));
});
after(() => rm(root, { recursive: true, force: true }));

const freshDir = () => mkdtemp(join(root, 'log-'));

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
        clock.pass(pauseMs);
        yield chunk;
      }
    };
    const components = { clock, snapshots: snapshots as unknown as SnapshotStore };
    const { manifest } = await receiveSnapshot(components, BETWEEN, slowly(), () => {
      cancelled++;
    });
    assert.equal(manifest.chunks, chunks.length);
    assert.equal(cancelled, cancels, `${pauseMs} ms between chunks`);
    clock.pass(60_000);
    assert.equal(cancelled, cancels, 'nothing is watched any more at the end');
  }
});

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
