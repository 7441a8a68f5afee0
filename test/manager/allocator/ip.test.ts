import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  contains,
  formatIp,
  formatSubnet,
  overlaps,
  parseIp,
  parseSubnet,
} from '../../../manager/allocator/ip.ts';

const subnet = (text: string) => parseSubnet(text)!;

test('addresses and subnets survive being parsed and written', () => {
  for (const text of ['10.0.0.1', '255.255.255.255', '0.0.0.0', 'fd00::1', '::']) {
    assert.equal(formatIp(parseIp(text)!), text);
  }
  assert.equal(formatSubnet(subnet('10.1.2.3/24')), '10.1.2.0/24');
  assert.equal(formatSubnet(subnet('fd00::abcd/64')), 'fd00::/64');
  assert.equal(subnet('10.0.0.0/8').last, parseIp('10.255.255.255')?.value);
});

test('what is no address or subnet is refused', () => {
  for (const text of ['', '10.0.0', '10.0.0.256', '010.0.0.1', 'x', '10.0.0.0/8']) {
    assert.equal(parseIp(text), undefined, text);
  }
  for (const text of [
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '/8',
  ]) {
    assert.equal(parseSubnet(text), undefined, text);
  }
});

test('subnets overlap when they share an address of one family', () => {
  assert.ok(overlaps(subnet('10.0.0.0/8'), subnet('10.9.0.0/16')));
  assert.ok(overlaps(subnet('10.9.0.0/16'), subnet('10.0.0.0/8')));
  assert.ok(!overlaps(subnet('10.0.0.0/24'), subnet('10.0.1.0/24')));
  assert.ok(!overlaps(subnet('0.0.0.0/0'), subnet('::/0')));
  assert.ok(contains(subnet('10.0.0.0/24'), parseIp('10.0.0.255')!));
  assert.ok(!contains(subnet('10.0.0.0/24'), parseIp('10.0.1.0')!));
});
