import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { LinuxKernel } from '../../../netdriver/kernel/linux-kernel.ts';
import { isKernelError } from '../../../netdriver/kernel/types.ts';
import { noRoot } from '../support/hosts.ts';

describe('the kernel adapter', { skip: noRoot }, () => {
  const directory = mkdtempSync(`${tmpdir()}/kernel-`);
  let kernel: LinuxKernel;
  const failsWith = (code: string) => (error: unknown) => isKernelError(error, code);

  before(async () => {
    const outer = new LinuxKernel({ directory });
    await outer.createNetns('host');
    kernel = new LinuxKernel({ directory, host: outer.netnsPath('host') });
    for (const name of ['a', 'b']) await kernel.createNetns(name);
  });
  after(() => {
    for (const name of kernel.netnsNames()) kernel.removeNetns(name);
    rmSync(directory, { recursive: true });
  });

  test('namespaces are made once and removed as often as one likes', async () => {
    await kernel.createNetns('c');
    await assert.rejects(kernel.createNetns('c'), failsWith('EEXIST'));
    assert.deepEqual([...kernel.netnsNames()].sort(), ['a', 'b', 'c', 'host']);
    assert.equal(kernel.links('c')[0]?.up, true);
    kernel.removeNetns('c');
    kernel.removeNetns('c');
    assert.throws(() => kernel.links('c'), failsWith('ENOENT'));
  });

  test('a name that a crash left without its namespace is none, and can be made', async () => {
    writeFileSync(`${directory}/half`, '', { mode: 0o444 });
    assert.ok(!kernel.netnsNames().includes('half'));
    assert.throws(() => kernel.links('half'), failsWith('ENOENT'));
    await kernel.createNetns('half');
    assert.equal(kernel.links('half')[0]?.up, true);
    kernel.removeNetns('half');
    writeFileSync(`${directory}/half`, '', { mode: 0o444 });
    kernel.removeNetns('half');
    assert.ok(!existsSync(`${directory}/half`));
  });

  test('devices, addresses and routes read back as they were asked for', async () => {
    await kernel.apply('a', [
      { op: 'add-bridge', name: 'br0', mac: '02:42:0a:00:01:01' },
      { op: 'add-address', dev: 'br0', address: '10.0.1.1/24' },
      {
        op: 'add-veth',
        name: 'veth%d',
        master: 'br0',
        mtu: 1450,
        peer: { name: 'eth0', netns: 'b', mac: '02:42:0a:00:01:03' },
      },
    ]);
    await kernel.apply('a', [
      {
        op: 'add-veth',
        name: 'vethfixed',
        master: 'br0',
        mtu: 1450,
        isolated: true,
        peer: { name: 'eth1', netns: 'b', mac: '02:42:0a:00:01:04' },
      },
    ]);
    await kernel.apply('b', [
      { op: 'set-link', name: 'eth0', up: true },
      { op: 'add-address', dev: 'eth0', address: '10.0.1.3/24' },
      { op: 'set-route', to: '0.0.0.0/0', via: '10.0.1.1' },
      { op: 'set-route', to: '10.9.0.0/16', via: '10.0.1.1', dev: 'eth0', table: 0x0a000002 },
      { op: 'add-rule', mark: 7, table: 0x0a000002, priority: 1000 },
    ]);
    const [, bridge, port] = kernel.links('a');
    assert.deepEqual(
      [bridge?.name, bridge?.kind, bridge?.mac, bridge?.up],
      ['br0', 'bridge', '02:42:0a:00:01:01', true],
    );
    assert.deepEqual(
      [port?.name, port?.kind, port?.mtu, port?.master],
      ['veth0', 'veth', 1450, bridge?.index],
    );
    assert.deepEqual(kernel.addresses('b').at(-1), { dev: 'eth0', address: '10.0.1.3/24' });
    const routes = kernel.routes('b').map(({ to, via, table }) => `${to} ${via} ${table}`);
    assert.deepEqual(routes.sort(), [
      '0.0.0.0/0 10.0.1.1 254',
      '10.0.1.0/24 undefined 254',
      '10.9.0.0/16 10.0.1.1 167772162',
    ]);
    assert.deepEqual(kernel.rules('b'), [{ mark: 7, table: 0x0a000002, priority: 1000 }]);
  });

  test('a VXLAN device appears in one namespace and keeps its socket in another', async () => {
    const vxlan = { op: 'add-vxlan', netns: 'a', vni: 4097, port: 4789, mtu: 1450 } as const;
    await kernel.apply('', [{ ...vxlan, name: 'vxlan0' }]);
    await kernel.apply('a', [
      { op: 'set-link', name: 'vxlan0', master: 'br0', up: true },
      { op: 'set-neighbour', dev: 'vxlan0', ip: '10.0.1.9', mac: '02:42:0a:00:01:09' },
      { op: 'set-fdb', dev: 'vxlan0', mac: '02:42:0a:00:01:09', vtep: '192.168.1.1' },
      { op: 'set-fdb', dev: 'vxlan0', mac: '02:42:0a:00:01:09', vtep: '192.168.1.2' },
    ]);
    assert.equal(kernel.links('a').find((link) => link.name === 'vxlan0')?.vni, 4097);
    assert.deepEqual(kernel.peerEntries('a', 'vxlan0'), {
      neighbours: [{ ip: '10.0.1.9', mac: '02:42:0a:00:01:09' }],
      fdb: [{ mac: '02:42:0a:00:01:09', vtep: '192.168.1.2' }],
    });
    await assert.rejects(kernel.apply('', [{ ...vxlan, name: 'again' }]), failsWith('EEXIST'));
    await kernel.tryApply('a', [
      { op: 'del-fdb', dev: 'vxlan0', mac: '02:42:0a:00:01:09', vtep: '192.168.1.2' },
      { op: 'del-neighbour', dev: 'vxlan0', ip: '10.0.1.9' },
      { op: 'del-neighbour', dev: 'vxlan0', ip: '10.0.1.9' },
    ]);
    assert.deepEqual(kernel.peerEntries('a', 'vxlan0'), { neighbours: [], fdb: [] });
  });

  test('what the kernel refuses is said with the operation', async () => {
    const op = { op: 'add-address', dev: 'nope', address: '10.0.0.1/24' } as const;
    await assert.rejects(kernel.apply('a', [op]), /there is no device nope/);
    const twice = { op: 'add-bridge', name: 'br0' } as const;
    await assert.rejects(
      kernel.apply('a', [twice]),
      /^KernelError: add-bridge name br0 in a: EEXIST/,
    );
    await kernel.tryApply('gone', [op]);
    await kernel.tryApply('a', [op]);
  });

  test('deleted devices are gone when the promise says so, and nobody misses the others', async () => {
    await kernel.deleteLinks('a', ['vxlan0', 'nope']);
    await kernel.deleteLinks('gone', ['vxlan0']);
    assert.ok(!kernel.links('a').some((link) => link.name === 'vxlan0'));
  });

  test('settings go to the namespace; unknown ones are skipped', async () => {
    kernel.setSysctls('b', {
      'net.ipv4.ip_forward': '1',
      'net/ipv4/conf/eth0/rp_filter': '2',
      'net.ipv4.no_such_thing': '1',
    });
    assert.equal(kernel.sysctl('b', 'net.ipv4.conf.eth0.rp_filter'), '2');
    assert.equal(kernel.sysctl('b', 'net.ipv4.no_such_thing'), undefined);
    assert.equal(kernel.sysctl('a', 'net.ipv4.ip_forward'), '0');
  });

  test('a reserved port is taken, by name, until it is released', async () => {
    const first = kernel.reservePort('b', 'tcp', '', 8080);
    assert.throws(() => kernel.reservePort('b', 'tcp', '', 8080), failsWith('EADDRINUSE'));
    assert.match(kernel.portOwner('b', 'tcp', 8080) ?? '', new RegExp(`\\(pid ${process.pid}\\)$`));
    assert.equal(kernel.portOwner('b', 'udp', 8080), undefined);
    kernel.reservePort('a', 'tcp', '', 8080).release();
    first.release();
    first.release();
    kernel.reservePort('b', 'tcp', '', 8080).release();
    assert.throws(() => kernel.reservePort('b', 'udp', '10.1.1.1', 1), failsWith('EADDRNOTAVAIL'));
    const any = kernel.reservePort('b', 'udp', '', 0);
    assert.ok(any.port > 0);
    any.release();
  });

  test('programs run inside, several at once, and their errors are told', async () => {
    await Promise.all(
      ['x', 'y', 'z', "it's"].map((name, i) =>
        kernel.nft('b', `add table ip t${i}\nadd chain ip t${i} c # ${name}\n`),
      ),
    );
    assert.deepEqual([...(await kernel.nftTables('b'))].sort(), [
      'ip t0',
      'ip t1',
      'ip t2',
      'ip t3',
    ]);
    assert.deepEqual(await kernel.nftTables('a'), []);
    await assert.rejects(kernel.nft('b', 'add rule ip none none accept'), /No such file/);
    await assert.rejects(kernel.nft('gone', 'add table ip t'), /No such file/);
    await kernel.deleteFlows('b', [
      { protocol: 'udp', originalPort: 53 },
      { replySource: '1.1.1.1' },
    ]);
  });

  test('the elements of a map read back in parts', async () => {
    await kernel.nft(
      'b',
      'add map ip t0 m { type inet_proto . inet_service : ipv4_addr . inet_service; }\n' +
        'add element ip t0 m { tcp . 80 : 10.0.0.1 . 8080, udp . 53 : 10.0.0.2 . 53 }\n',
    );
    const elements = await kernel.nftElements('b', 'ip t0', 'm');
    assert.deepEqual(elements.map(({ key, value }) => [...key, ...value].join(' ')).sort(), [
      'tcp 80 10.0.0.1 8080',
      'udp 53 10.0.0.2 53',
    ]);
    assert.equal(typeof (await kernel.nftOrdersMarks()), 'boolean');
  });
});
