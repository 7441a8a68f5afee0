import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flowArguments } from '../../../netdriver/kernel/conntrack.ts';
import { parseElements } from '../../../netdriver/kernel/nft-json.ts';
import { inodeOf } from '../../../netdriver/kernel/port-owner.ts';

describe('what the kernel and its tools print', () => {
  test('the inode of a socket by its port: of listeners for TCP, of any for UDP', () => {
    const rows = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode',
      '   0: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 111 1',
      '   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 222 1',
    ];
    assert.equal(inodeOf(rows, 'tcp', 8080), '222');
    assert.equal(inodeOf(rows, 'udp', 8080), '111');
    assert.equal(inodeOf(rows, 'tcp', 80), undefined);
  });

  test('the elements of a map, plain or in parts', () => {
    const listing = {
      nftables: [
        { metainfo: { version: '1.0.6' } },
        {
          map: {
            elem: [
              [{ concat: ['tcp', 80] }, { concat: ['10.0.0.1', 8080] }],
              ['a', 1],
            ],
          },
        },
      ],
    };
    assert.deepEqual(parseElements(JSON.stringify(listing)), [
      { key: ['tcp', '80'], value: ['10.0.0.1', '8080'] },
      { key: ['a'], value: ['1'] },
    ]);
    assert.deepEqual(parseElements('{"nftables":[{"map":{"name":"m"}}]}'), []);
  });

  test('flows are named in the words of conntrack(8)', () => {
    assert.deepEqual(
      flowArguments({ protocol: 'udp', originalDestination: '10.0.1.2', originalPort: 53 }),
      ['-p', 'udp', '--orig-dst', '10.0.1.2', '--orig-port-dst', '53'],
    );
    assert.deepEqual(flowArguments({ replySource: '10.0.1.3' }), ['--reply-src', '10.0.1.3']);
  });
});
