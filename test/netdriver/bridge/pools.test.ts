import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { localSubnets, nextFreeAddress, nextFreeSubnet } from '../../../netdriver/bridge/pools.ts';
import { contains, overlaps } from '../../../netdriver/ipv4.ts';

describe('local address pools', () => {
  test('are fifteen /16 and sixteen /20, none touching another', () => {
    const all = [...localSubnets()];
    assert.equal(all.length, 31);
    assert.equal(all[0], '172.17.0.0/16');
    assert.equal(all[14], '172.31.0.0/16');
    assert.equal(all[15], '192.168.0.0/20');
    for (const [i, a] of all.entries()) {
      for (const b of all.slice(i + 1)) assert.ok(!overlaps(a, b), `${a} ${b}`);
    }
  });

  test('a new subnet touches nothing that is used', () => {
    const used = fc.subarray([...localSubnets(), '172.20.5.0/24', '192.168.3.4/32', '0.0.0.0/4']);
    fc.assert(
      fc.property(used, (taken) => {
        const subnet = nextFreeSubnet(taken);
        if (subnet) assert.ok(!taken.some((other) => overlaps(subnet, other)));
        else assert.ok([...localSubnets()].every((s) => taken.some((other) => overlaps(s, other))));
      }),
    );
  });

  test('addresses are handed out until the subnet is full, each once', () => {
    const used = new Set(['10.1.0.1']);
    for (let ip = nextFreeAddress('10.1.0.0/28', used); ip; ) {
      assert.ok(contains('10.1.0.0/28', ip) && !used.has(ip));
      used.add(ip);
      ip = nextFreeAddress('10.1.0.0/28', used);
    }
    assert.equal(used.size, 14);
    assert.ok(!used.has('10.1.0.0') && !used.has('10.1.0.15'));
  });

  test('a range narrows the choice', () => {
    assert.equal(nextFreeAddress('10.1.0.0/16', new Set(), '10.1.4.0/24'), '10.1.4.0');
    assert.equal(nextFreeAddress('10.1.0.0/24', new Set(), '10.1.0.254/31'), '10.1.0.254');
  });
});
