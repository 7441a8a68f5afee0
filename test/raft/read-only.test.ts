import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageType, message } from '../../manager/raft/index.ts';
import { decodePosition, encodePosition, ReadOnly } from '../../manager/raft/read-only.ts';

const request = message({ type: MessageType.ReadIndex });
const three = { incoming: [1, 2, 3], outgoing: [] };

test('reads leave in order, as far as a quorum has answered', () => {
  const reads = new ReadOnly();
  assert.equal(reads.describe(), '0 waiting from position 1 on, acknowledged: none');
  for (const index of [5, 6, 7]) reads.add(request, index);
  assert.equal(reads.position, 3);
  reads.acknowledge(1, 3);
  // Answers may come in any order.
  reads.acknowledge(1, 1);
  assert.deepEqual(reads.takeConfirmed(three), []);
  reads.acknowledge(2, 2);
  assert.deepEqual(
    reads.takeConfirmed(three).map(({ index }) => index),
    [5, 6],
  );
  assert.equal(reads.describe(), '1 waiting from position 3 on, acknowledged: 1=3 2=2');
  reads.acknowledge(3, 1);
  assert.deepEqual(reads.takeConfirmed(three), []);
  reads.add(request, 9);
  assert.equal(reads.position, 4);
  reads.acknowledge(3, 4);
  assert.deepEqual(
    reads.takeConfirmed(three).map(({ index }) => index),
    [7],
  );
});

test('in a transition both halves have to answer; without voters there is nothing to wait for', () => {
  const joint = { incoming: [1, 2], outgoing: [1, 3, 4] };
  const reads = new ReadOnly();
  reads.add(request, 5);
  for (const id of [1, 2]) reads.acknowledge(id, 1);
  assert.deepEqual(reads.takeConfirmed(joint), []);
  reads.acknowledge(4, 1);
  assert.equal(reads.takeConfirmed(joint).length, 1);
  reads.add(request, 6);
  assert.equal(reads.takeConfirmed({ incoming: [], outgoing: [] }).length, 1);
  assert.equal(reads.waiting, 0);
});

test('positions survive the wire, and anything else confirms nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (position) => {
      assert.equal(decodePosition(encodePosition(position)), position);
    }),
  );
  for (const bytes of [undefined, [], [1, 2, 3], new Array<number>(8).fill(255)]) {
    assert.equal(decodePosition(bytes && Uint8Array.from(bytes)), 0);
  }
});

test('describe() names the acknowledgements by id, whoever was first', () => {
  const reads = new ReadOnly();
  for (const id of [3, 1, 2]) reads.acknowledge(id, 10 - id);
  assert.equal(reads.describe(), '0 waiting from position 1 on, acknowledged: 1=9 2=8 3=7');
});
