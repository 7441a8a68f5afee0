import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import packet from 'dns-packet';
import { systemRandom } from '../../../common/random.ts';
import { openSocket } from '../../../netdriver/kernel/sockets.ts';
import { Forwarder, firstMessage, withLength } from '../../../netdriver/resolver/forwarder.ts';
import { eventually } from '../../support/eventually.ts';
import { LOOPBACK } from '../../support/loopback.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** Sockets of this process's own namespace, which needs no privileges. */
const kernel = {
  openSocket: (_netns: string, init: Parameters<typeof openSocket>[0]) => openSocket(init),
} as unknown as ConstructorParameters<typeof Forwarder>[0]['kernel'];

const question = packet.encode({
  type: 'query',
  id: 4242,
  questions: [{ type: 'A', name: 'example.test', class: 'IN' }],
});

function answerTo(data: Buffer, rcode = 0): Buffer {
  const { id, questions } = packet.decode(data);
  const answers = [{ type: 'A', name: 'example.test', ttl: 1, data: '192.0.2.7' }] as const;
  return packet.encode({
    type: 'response',
    id,
    flags: rcode,
    questions,
    answers: rcode === 0 ? [...answers] : [],
  });
}

describe('forwarding', () => {
  const udp = createSocket('udp4');
  const tcp = createServer();
  const heard: Buffer[] = [];
  let mode: 'answer' | 'silent' | 'refuse' = 'answer';
  const clock = new VirtualClock();
  const forwarder = new Forwarder({ kernel, clock, random: systemRandom });
  const upstream = () => ({ address: LOOPBACK, netns: '', port: udp.address().port });

  before(async () => {
    udp.on('message', (data, from) => {
      heard.push(data);
      if (mode === 'silent') return;
      udp.send(answerTo(data, mode === 'refuse' ? 5 : 0), from.port, from.address);
    });
    await new Promise<void>((resolve) => udp.bind(0, LOOPBACK, resolve));
    tcp.on('connection', (socket) => {
      socket.on('data', (data) => {
        const message = firstMessage(data);
        if (message) socket.write(withLength(answerTo(message)));
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => tcp.listen(udp.address().port, LOOPBACK, resolve));
  });
  after(() => {
    udp.close();
    tcp.close();
  });

  const addressIn = (data: Buffer) => {
    const [answer] = packet.decode(data).answers ?? [];
    return answer && 'data' in answer ? answer.data : undefined;
  };

  for (const transport of ['udp', 'tcp'] as const) {
    test(`over ${transport}, the answer has the question’s id`, async () => {
      mode = 'answer';
      const result = await forwarder.forward(question, transport, [upstream()]);
      assert.ok(result.kind === 'answer');
      assert.equal(result.data.readUInt16BE(0), 4242);
      assert.equal(addressIn(result.data), '192.0.2.7');
    });
  }

  test('a server that is silent or refuses is passed over', async () => {
    mode = 'silent';
    const before = heard.length;
    const waiting = forwarder.forward(question, 'udp', [upstream(), upstream()]);
    await eventually(() => assert.equal(heard.length, before + 1));
    mode = 'answer';
    await clock.advance(4000);
    assert.equal((await waiting).kind, 'answer');
    mode = 'refuse';
    assert.equal((await forwarder.forward(question, 'udp', [upstream()])).kind, 'failed');
  });

  test('at most three are asked, and none is a failure', async () => {
    mode = 'refuse';
    const before = heard.length;
    await forwarder.forward(question, 'udp', Array.from({ length: 5 }, upstream));
    assert.equal(heard.length, before + 3);
    assert.equal((await forwarder.forward(question, 'udp', [])).kind, 'failed');
  });

  test('beyond a thousand questions at once the rest is turned away', async () => {
    const few = { address: '127.0.0.1', netns: '', port: 9 };
    const stuck = new Forwarder({
      kernel: {
        openSocket: () => {
          throw new Error('no sockets here');
        },
      } as unknown as typeof kernel,
      clock,
      random: systemRandom,
    });
    const results = await Promise.all(
      Array.from({ length: 1025 }, () => stuck.forward(question, 'udp', [few])),
    );
    assert.equal(results.filter(({ kind }) => kind === 'busy').length, 1);
  });
});
