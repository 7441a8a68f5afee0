import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InterfaceAddress } from '../../swarmd/addresses.ts';
import type { NodeRecord } from '../../swarmd/node-files.ts';
import { followInterface } from '../../swarmd/relocation.ts';

const at = (ifname: string, address: string, usable = true): InterfaceAddress => ({
  ifname,
  address,
  family: address.includes(':') ? 6 : 4,
  usable,
});

const RECORD: NodeRecord = {
  listenAddr: '0.0.0.0:2377',
  advertiseAddr: '10.1.0.5:2377',
  advertiseInterface: 'eth0',
  dataPathAddr: '10.1.0.5',
  dataPathPort: 4789,
  managers: ['10.1.0.5:2377', '10.1.0.6:2377'],
};

test('a node notes which interface has its address', () => {
  const { advertiseInterface, ...unnoted } = RECORD;
  assert.equal(advertiseInterface, 'eth0');
  assert.deepEqual(
    followInterface(unnoted, [at('eth1', '10.2.0.5'), at('eth0', '10.1.0.5')]),
    RECORD,
  );
  assert.deepEqual(followInterface(RECORD, [at('eth9', '10.1.0.5')]).advertiseInterface, 'eth9');
});

test('it follows that interface to another address', () => {
  const followed = followInterface(RECORD, [at('eth1', '10.2.0.5'), at('eth0', '10.1.0.77')]);
  assert.deepEqual(followed, {
    ...RECORD,
    advertiseAddr: '10.1.0.77:2377',
    dataPathAddr: '10.1.0.77',
  });
  const bound = { ...RECORD, listenAddr: '10.1.0.5:4000', dataPathAddr: '10.2.0.5' };
  const { listenAddr, dataPathAddr } = followInterface(bound, [at('eth0', '10.1.0.77')]);
  assert.deepEqual([listenAddr, dataPathAddr], ['10.1.0.77:4000', '10.2.0.5']);
});

test('with IPv6 too', () => {
  const record = { ...RECORD, advertiseAddr: '[fd00::5]:2377', dataPathAddr: 'fd00::5' };
  const interfaces = [
    at('eth0', '10.1.0.77'),
    at('eth0', 'fe80::1', false),
    at('eth0', 'fd00::77'),
  ];
  const { advertiseAddr, dataPathAddr } = followInterface(record, interfaces);
  assert.deepEqual([advertiseAddr, dataPathAddr], ['[fd00::77]:2377', 'fd00::77']);
});

test('it stays where it is when where it went cannot be told for sure', () => {
  const { advertiseInterface: _unknown, ...translated } = RECORD;
  for (const [record, ...interfaces] of [
    [translated, at('eth0', '10.1.0.77')],
    [RECORD, at('eth1', '10.2.0.5')],
    [RECORD, at('eth0', 'fd00::77')],
    [RECORD, at('eth0', '10.1.0.77', false)],
    [RECORD, at('eth0', '10.1.0.77'), at('eth0', '10.1.0.78')],
    [RECORD],
  ] as [NodeRecord, ...InterfaceAddress[]][]) {
    assert.deepEqual(followInterface(record, interfaces), record);
  }
});
