import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  containerResolvConf,
  formatResolvConf,
  parseResolvConf,
} from '../../../netdriver/resolver/resolv-conf.ts';
import { hostsFile } from '../../../netdriver/sandbox/hosts-file.ts';

const host = parseResolvConf(`# made by hand
nameserver 127.0.0.53
nameserver 192.0.2.1 ; comment
domain old.test
search a.test b.test
options edns0 timeout:1
`);
const nothing = { nameservers: [], search: [], options: [] };

describe('resolv.conf', () => {
  test('is read as resolv.conf(5) says', () => {
    assert.deepEqual(host, {
      nameservers: ['127.0.0.53', '192.0.2.1'],
      search: ['a.test', 'b.test'],
      options: ['edns0', 'timeout:1'],
    });
    assert.deepEqual(parseResolvConf(formatResolvConf(host)), host);
  });

  test('with a resolver, names it and does without search for names with a dot', () => {
    assert.deepEqual(parseResolvConf(containerResolvConf(host, nothing, true)), {
      nameservers: ['127.0.0.11'],
      search: ['a.test', 'b.test'],
      options: ['edns0', 'timeout:1', 'ndots:0'],
    });
  });

  test('keeps what the user asked for', () => {
    const wanted = { nameservers: ['1.1.1.1'], search: ['c.test'], options: ['ndots:2'] };
    assert.deepEqual(parseResolvConf(containerResolvConf(host, wanted, true)), {
      ...wanted,
      nameservers: ['127.0.0.11'],
    });
    assert.deepEqual(parseResolvConf(containerResolvConf(host, wanted, false)), wanted);
    const none = { ...nothing, search: ['.'] };
    assert.deepEqual(parseResolvConf(containerResolvConf(host, none, true)).search, []);
  });

  test('without a resolver, the host’s servers that are not its loopback', () => {
    const conf = parseResolvConf(containerResolvConf(host, nothing, false));
    assert.deepEqual(conf.nameservers, ['192.0.2.1']);
  });
});

describe('the hosts file', () => {
  test('has the container, the user’s lines and the way to the host', () => {
    const text = hostsFile({
      hostname: 'box',
      addresses: ['10.0.1.3', '172.18.0.2'],
      extraHosts: ['db:10.1.1.1', 'six:fe80::1', 'host.docker.internal:host-gateway', 'broken'],
      gateway: '172.18.0.1',
    });
    const lines = text.trimEnd().split('\n');
    assert.ok(lines.includes('127.0.0.1\tlocalhost'));
    assert.deepEqual(lines.slice(-5), [
      '10.1.1.1\tdb',
      'fe80::1\tsix',
      '172.18.0.1\thost.docker.internal',
      '10.0.1.3\tbox',
      '172.18.0.2\tbox',
    ]);
  });
});
