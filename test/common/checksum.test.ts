import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeChecked,
  decodeCheckedText,
  decodeRecord,
  encodeChecked,
  encodeCheckedText,
  encodeRecord,
} from '../../common/checksum.ts';

const RECORD = { addr: '10.0.0.1:2377', port: 4789, managers: ['a', 'b'], nested: { on: true } };

test('what was encoded is decoded', () => {
  assert.deepEqual(decodeChecked(encodeChecked(RECORD)), RECORD);
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.equal(decodeCheckedText(encodeCheckedText(text)), text);
    }),
  );
});

/** Every way to cut it, and every bit of it. */
function* damages(text: string): Generator<Buffer> {
  const whole = Buffer.from(text, 'latin1');
  for (let size = 0; size < whole.length - 1; size++) yield whole.subarray(0, size);
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    yield flipped;
  }
}

test('JSON that was cut or changed is refused, or says the same', () => {
  for (const bytes of damages(encodeChecked(RECORD))) {
    let decoded: unknown;
    try {
      decoded = decodeChecked(bytes.toString('latin1'));
    } catch (error) {
      assert.match((error as Error).message, /^it (is|holds|has)|^its checksum/);
      continue;
    }
    // White space between two members.
    assert.deepEqual(decoded, RECORD);
  }
});

test('text that was cut or changed is refused', () => {
  for (const bytes of damages(encodeCheckedText('-----BEGIN CERTIFICATE-----\nMIIB\n'))) {
    assert.throws(() => decodeCheckedText(bytes.toString('latin1')), /^Error: it/);
  }
});

test('a record is of its key, whole and unchanged, or is none', () => {
  const record = encodeRecord('task/a', Buffer.from('abc'));
  assert.equal(decodeRecord('task/a', record)?.toString(), 'abc');
  assert.equal(decodeRecord('task/b', record), undefined);
  for (let bit = 0; bit < 8 * record.length; bit++) {
    const flipped = Buffer.from(record);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(decodeRecord('task/a', flipped), undefined);
  }
  for (let size = 0; size < record.length; size++) {
    assert.equal(decodeRecord('task/a', record.subarray(0, size)), undefined);
  }
});
