import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import packet from 'dns-packet';
import fc from 'fast-check';
import { firstMessage, withLength } from '../../../netdriver/resolver/forwarder.ts';
import {
  encodeAnswer,
  encodeError,
  encodeForUdp,
  fitForwarded,
  parseQuery,
  RCODE,
} from '../../../netdriver/resolver/messages.ts';

function queryFor(name: string, udpPayloadSize?: number) {
  const additionals = udpPayloadSize
    ? [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize,
          flags: 0,
          options: [],
        } as unknown as packet.Answer,
      ]
    : [];
  const data = packet.encode({
    type: 'query',
    id: 77,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type: 'A', name, class: 'IN' }],
    additionals,
  });
  const query = parseQuery(data);
  assert.ok(query);
  return query;
}

const answersFor = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const data = `10.0.${i >> 8}.${i & 255}`;
    return { type: 'A', name, ttl: 5, class: 'IN', data } as const;
  });

describe('DNS messages', () => {
  test('an answer has the question, the id and the flags of a server', () => {
    const reply = packet.decode(encodeAnswer(queryFor('web'), answersFor('web', 2)));
    assert.equal(reply.id, 77);
    assert.ok(reply.flag_qr && reply.flag_aa && reply.flag_ra && reply.flag_rd && !reply.flag_tc);
    assert.equal(reply.questions?.[0]?.name, 'web');
    assert.equal(reply.answers?.length, 2);
  });

  test('an error has its code', () => {
    const reply = packet.decode(encodeError(queryFor('web'), RCODE.SERVFAIL));
    assert.equal((reply as unknown as { rcode: string }).rcode, 'SERVFAIL');
  });

  test('what is too long for UDP is cut, and says so', () => {
    const cases = fc.tuple(
      fc.integer({ min: 0, max: 400 }),
      fc.constantFrom(undefined, 1232, 9000),
    );
    fc.assert(
      fc.property(cases, ([count, size]) => {
        const query = queryFor('tasks.web', size);
        const data = encodeForUdp(query, answersFor('tasks.web', count));
        assert.ok(data.length <= query.udpSize);
        const reply = packet.decode(data);
        assert.equal(reply.flag_tc, (reply.answers?.length ?? 0) < count);
      }),
    );
  });

  test('a foreign answer that is too long becomes an empty one over UDP', () => {
    const query = queryFor('big.example');
    const long = encodeAnswer(query, answersFor('big.example', 200));
    assert.ok(packet.decode(fitForwarded(query, long)).flag_tc);
    const short = encodeAnswer(query, answersFor('big.example', 1));
    assert.equal(fitForwarded(query, short), short);
  });

  test('noise is no query', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        parseQuery(Buffer.from(bytes));
      }),
    );
    assert.equal(parseQuery(encodeError(queryFor('web'), 0)), undefined);
    assert.equal(parseQuery(Buffer.alloc(0)), undefined);
  });

  test('over TCP a message is whole or not there', () => {
    const stream = Buffer.concat([
      withLength(Buffer.from('one')),
      withLength(Buffer.from('three')),
    ]);
    for (let i = 0; i < 5; i++) assert.equal(firstMessage(stream.subarray(0, i)), undefined);
    assert.equal(firstMessage(stream)?.toString(), 'one');
    assert.equal(firstMessage(stream.subarray(5))?.toString(), 'three');
  });
});
