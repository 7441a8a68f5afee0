import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AddressRequest,
  dialable,
  type InterfaceAddress,
  resolveAddresses,
  splitHostPort,
} from '../../swarmd/addresses.ts';

const entry = (ifname: string, address: string, usable = true): InterfaceAddress => ({
  ifname,
  address,
  family: address.includes(':') ? 6 : 4,
  usable,
});

const LO = entry('lo', '127.0.0.1', false);
const ETH0 = entry('eth0', '10.1.0.5');
const ETH1 = entry('eth1', '10.2.0.5');
const request = (changes: Partial<AddressRequest>): AddressRequest => ({
  listenAddr: '',
  advertiseAddr: '',
  dataPathAddr: '',
  ...changes,
});

const accepted: [string, Partial<AddressRequest>, InterfaceAddress[], string[]][] = [
  ['nothing said', {}, [LO, ETH0], ['0.0.0.0:2377', '10.1.0.5:2377', '10.1.0.5']],
  [
    'an address',
    { advertiseAddr: '10.2.0.5' },
    [LO, ETH0, ETH1],
    ['0.0.0.0:2377', '10.2.0.5:2377', '10.2.0.5'],
  ],
  [
    'an interface and a port',
    { advertiseAddr: 'eth1:4000' },
    [LO, ETH0, ETH1],
    ['0.0.0.0:2377', '10.2.0.5:4000', '10.2.0.5'],
  ],
  [
    'a listening address is advertised',
    { listenAddr: '10.1.0.5:3000' },
    [LO, ETH0, ETH1],
    ['10.1.0.5:3000', '10.1.0.5:3000', '10.1.0.5'],
  ],
  [
    'another data path',
    { advertiseAddr: '10.1.0.5', dataPathAddr: 'eth1' },
    [LO, ETH0, ETH1],
    ['0.0.0.0:2377', '10.1.0.5:2377', '10.2.0.5'],
  ],
  ['IPv6 alone', {}, [LO, entry('eth0', 'fd00::5')], ['0.0.0.0:2377', '[fd00::5]:2377', 'fd00::5']],
];

for (const [name, changes, interfaces, expected] of accepted) {
  test(`addresses: ${name}`, () => {
    const addresses = resolveAddresses(request(changes), interfaces);
    assert.deepEqual(
      [addresses.listenAddr, addresses.advertiseAddr, addresses.dataPathAddr],
      expected,
    );
  });
}

const refused: [string, Partial<AddressRequest>, InterfaceAddress[], RegExp][] = [
  [
    'two interfaces',
    {},
    [ETH0, ETH1],
    /multiple addresses on different interfaces \(10\.1\.0\.5 on eth0 and 10\.2\.0\.5 on eth1\)/,
  ],
  [
    'two addresses',
    {},
    [ETH0, entry('eth0', '10.1.0.6')],
    /multiple addresses on interface eth0 \(10\.1\.0\.5 and 10\.1\.0\.6\)/,
  ],
  ['no address', {}, [LO], /could not find the system's IP address/],
  [
    '0.0.0.0 advertised',
    { advertiseAddr: '0.0.0.0' },
    [ETH0],
    /advertise address must be a non-zero IP/,
  ],
  ['unknown interface', { advertiseAddr: 'eth9' }, [ETH0], /advertise address must be/],
  ['a port that is none', { listenAddr: '0.0.0.0:99999' }, [ETH0], /listen address must be/],
  ['a data path with a port', { dataPathAddr: 'eth0:1' }, [ETH0], /data path address must be/],
];

for (const [name, changes, interfaces, message] of refused) {
  test(`addresses refused: ${name}`, () => {
    assert.throws(() => resolveAddresses(request(changes), interfaces), {
      code: 'SWM_INVALID_ARGUMENT',
      message,
    });
  });
}

test('splitHostPort reads IPv6 with and without brackets', () => {
  assert.deepEqual(splitHostPort('[::1]:80', 1), { host: '::1', port: 80 });
  assert.deepEqual(splitHostPort('::1', 7), { host: '::1', port: 7 });
  assert.deepEqual(splitHostPort('h', 7), { host: 'h', port: 7 });
});

test('a listener is reached on this machine at its own address, or by loopback if at all', () => {
  const addresses = ['10.0.0.1:2377', '0.0.0.0:1', ':2', '[::]:3', '[fd00::1]:4'];
  assert.deepEqual(addresses.map(dialable), [
    '10.0.0.1:2377',
    '127.0.0.1:1',
    '127.0.0.1:2',
    '[::1]:3',
    '[fd00::1]:4',
  ]);
});
