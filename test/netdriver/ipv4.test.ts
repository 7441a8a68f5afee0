import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bounds,
  contains,
  formatIp,
  isIp,
  macOf,
  overlaps,
  parseCidr,
  parseIp,
  subnetOf,
} from '../../netdriver/ipv4.ts';

const ips = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const cidrs = fc
  .tuple(ips, fc.integer({ min: 0, max: 32 }))
  .map(([ip, prefix]) => `${formatIp(ip)}/${prefix}`);

describe('IPv4 arithmetic', () => {
  test('text and number are the same', () => {
    fc.assert(fc.property(ips, (ip) => parseIp(formatIp(ip)) === ip && isIp(formatIp(ip))));
  });

  test('two subnets overlap when one contains an end of the other', () => {
    fc.assert(
      fc.property(cidrs, cidrs, (a, b) => {
        const ends = ({ first, last }: { first: number; last: number }) => [first, last];
        const inside = (outer: string, inner: string) =>
          ends(bounds(parseCidr(inner))).some((end) => contains(outer, formatIp(end)));
        assert.equal(overlaps(a, b), inside(a, b) || inside(b, a));
      }),
    );
  });

  test('host bits are cleared', () => {
    assert.equal(subnetOf('10.0.1.77/24'), '10.0.1.0/24');
    assert.equal(subnetOf('255.255.255.255/0'), '0.0.0.0/0');
  });

  test('what is no address is refused', () => {
    for (const text of ['', '10.0.0', '10.0.0.256', 'a.b.c.d', '1.2.3.4.5', '10.0.0.1/33']) {
      assert.throws(() => parseCidr(text), RangeError, text);
    }
    assert.ok(!isIp('1.2.3'));
    assert.ok(!isIp('1.2.3.999'));
  });

  test('a hardware address is made of the IPv4 address', () => {
    assert.equal(macOf('10.0.1.3'), '02:42:0a:00:01:03');
  });
});
