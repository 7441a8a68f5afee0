import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, EntryType, type Message, MessageType, message } from 'raft-ts';
import { ApplyThread } from '../../../manager/consensus/apply-thread.ts';

const entries = (...indexes: number[]): Entry[] =>
  indexes.map((index) => ({ index, term: 1, type: EntryType.Normal, data: undefined }));

const work = (...indexes: number[]): Message =>
  message({ type: MessageType.StorageApply, entries: entries(...indexes) });

/** Each entry takes a millisecond. */
function bench() {
  let now = 0;
  const said: string[] = [];
  const thread = new ApplyThread(
    {
      apply: ({ index }) => {
        now++;
        said.push(`${index}`);
      },
      done: ({ entries: all }) => said.push(`done ${all.at(-1)?.index ?? 'with nothing'}`),
    },
    () => now,
  );
  return { thread, said, takes: (ms: number) => thread.run(now + ms) };
}

test('a message is done in the turn of its last entry, also when its time is over', () => {
  const { thread, said, takes } = bench();
  thread.begin();
  thread.push(work(1, 2, 3));
  assert.equal(takes(1), false);
  assert.deepEqual(said.splice(0), ['1', '2']);
  assert.equal(takes(0), true);
  assert.deepEqual(said, ['3', 'done 3']);
});

test('the next message waits for more time', () => {
  const { thread, said, takes } = bench();
  thread.begin();
  for (const one of [work(1), work(), work(2)]) thread.push(one);
  assert.equal(takes(0), false);
  assert.deepEqual(said.splice(0), ['1', 'done 1']);
  assert.equal(takes(5), true);
  assert.deepEqual(said, ['done with nothing', '2', 'done 2']);
});

test('nothing is applied before the state machine has its snapshot', async () => {
  const { thread, said, takes } = bench();
  thread.push(work(1));
  const idle = thread.idle();
  assert.equal(takes(5), true);
  assert.deepEqual(said, []);
  thread.begin();
  takes(5);
  await idle;
  assert.deepEqual(said, ['1', 'done 1']);
});
