import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Entry, EntryType, type Message, MessageType, message } from 'raft-ts';
import { AppendThread, joinEntries } from '../../../manager/consensus/append-thread.ts';
import type { LogDisk, LogWrite } from '../../../manager/consensus/log-disk.ts';
import { LogTail } from '../../../manager/consensus/log-tail.ts';
import { until } from './harness.ts';

function entries(first: number, count: number, term = 1): Entry[] {
  return Array.from({ length: count }, (_, i) => ({
    term,
    index: first + i,
    type: EntryType.Normal,
    data: Buffer.from(`${term}/${first + i}`),
  }));
}

function append(fields: Partial<Message>): Message {
  return message({ type: MessageType.StorageAppend, ...fields });
}

/** A disk whose writes end when the test says so. */
class FakeDisk {
  readonly writes: LogWrite[] = [];
  #finish: { resolve(): void; reject(error: Error): void }[] = [];

  write(write: LogWrite): Promise<void> {
    this.writes.push(write);
    return new Promise((resolve, reject) => this.#finish.push({ resolve, reject }));
  }

  finish(error?: Error): void {
    const { resolve, reject } = this.#finish.shift()!;
    if (error) reject(error);
    else resolve();
  }
}

function setUp() {
  const disk = new FakeDisk();
  const tail = new LogTail({
    identity: { format: 1, raftId: 1, nodeId: 'n' },
    hardState: { term: 1, vote: 0, commit: 0 },
    snapshot: undefined,
    entries: [],
    prevTerm: 0,
  });
  const durable: Message[][] = [];
  const failures: unknown[] = [];
  const thread = new AppendThread(
    { disk: disk as unknown as LogDisk, tail },
    {
      durable: (messages) => durable.push([...messages]),
      manifestOf: () => assert.fail('there is no snapshot'),
      restore: () => assert.fail('there is no snapshot'),
      failed: (error) => failures.push(error),
    },
  );
  return { disk, tail, thread, durable, failures };
}

describe('the append thread', () => {
  it('writes together what came while it wrote', async () => {
    const { disk, tail, thread, durable } = setUp();
    thread.push(append({ entries: entries(1, 2) }));
    thread.kick();
    assert.equal(disk.writes.length, 1);
    thread.push(append({ entries: entries(3, 2) }));
    thread.push(append({ entries: entries(5, 1), term: 2, vote: 1, commit: 2 }));
    thread.kick();
    assert.equal(disk.writes.length, 1);
    assert.equal(tail.lastIndex(), 0);
    disk.finish();
    await until(() => disk.writes.length === 2, 'the second write begins');
    assert.equal(tail.lastIndex(), 2);
    assert.deepEqual(disk.writes[1]!.entries, entries(3, 3));
    assert.deepEqual(disk.writes[1]!.hardState, { term: 2, vote: 1, commit: 2 });
    assert.equal(disk.writes[1]!.prevTerm, 1);
    assert.ok(disk.writes.every(({ sync }) => sync));
    disk.finish();
    await until(() => durable.length === 2, 'all is durable');
    assert.equal(durable[1]!.length, 2);
    assert.equal(tail.lastIndex(), 5);
  });

  it('does not write for a commit index alone, until there is time', async () => {
    const { disk, thread, durable } = setUp();
    thread.push(append({ term: 1, commit: 7 }));
    thread.kick();
    await until(() => durable.length === 1, 'the message is answered');
    assert.equal(disk.writes.length, 0);
    thread.flushCommit();
    assert.deepEqual(disk.writes, [{ hardState: { term: 1, vote: 0, commit: 7 }, sync: false }]);
    disk.finish();
    await new Promise(setImmediate);
    thread.flushCommit();
    assert.equal(disk.writes.length, 1);
  });

  it('writes a vote before it is answered', async () => {
    const { disk, thread, durable } = setUp();
    thread.push(append({ term: 2, vote: 3 }));
    thread.kick();
    await new Promise(setImmediate);
    assert.equal(durable.length, 0);
    disk.finish();
    await until(() => durable.length === 1, 'the message is answered');
    assert.equal(disk.writes[0]!.sync, true);
  });

  it('answers nothing after the disk failed', async () => {
    const { disk, tail, thread, durable, failures } = setUp();
    thread.push(append({ entries: entries(1, 1) }));
    thread.kick();
    thread.push(append({ entries: entries(2, 1) }));
    disk.finish(new Error('no space left on device'));
    await until(() => failures.length === 1, 'the failure is reported');
    thread.push(append({ entries: entries(3, 1) }));
    thread.kick();
    thread.flushCommit();
    await new Promise(setImmediate);
    assert.equal(disk.writes.length, 1);
    assert.equal(durable.length, 0);
    assert.equal(tail.lastIndex(), 0);
    await thread.stop();
  });

  it('stops also when the disk does not take the commit index any more', async () => {
    const { disk, thread, failures } = setUp();
    thread.push(append({ term: 1, commit: 7 }));
    thread.kick();
    await new Promise(setImmediate);
    const stopped = thread.stop();
    await until(() => disk.writes.length === 1, 'the commit index is being written');
    disk.finish(new Error('no space left on device'));
    await stopped;
    assert.deepEqual(failures, []);
  });
});

describe('joined appends', () => {
  const cases: [string, Entry[][], Entry[]][] = [
    ['follow each other', [entries(1, 2), [], entries(3, 1)], entries(1, 3)],
    ['overlap', [entries(1, 4), entries(3, 1, 2)], [...entries(1, 2), ...entries(3, 1, 2)]],
    ['replace all', [entries(3, 4), entries(2, 2, 2)], entries(2, 2, 2)],
    ['are empty', [[], []], []],
  ];
  for (const [what, parts, joined] of cases) {
    it(what, () => {
      assert.deepEqual(joinEntries(parts.map((each) => append({ entries: each }))), joined);
    });
  }
});
