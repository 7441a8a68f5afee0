import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HostFirewall } from '../../../netdriver/bridge/host-firewall.ts';
import { hostRuleset } from '../../../netdriver/bridge/host-rules.ts';
import { FakeKernel } from '../support/fake-kernel.ts';

const bridge = { device: 'swarm0', subnet: '172.17.0.0/16', internal: false, masquerade: true };
const port = {
  protocol: 'tcp',
  hostIp: '',
  hostPort: 8080,
  targetIp: '172.17.0.2',
  targetPort: 80,
} as const;

describe('the rules of the host', () => {
  test('ports are elements of maps, by address when they have one', async () => {
    const { maps } = hostRuleset({
      bridges: [bridge],
      ports: [port, { ...port, hostIp: '192.0.2.1', hostPort: 81 }],
    });
    assert.deepEqual(maps['published']?.elements, { 'tcp . 8080': '172.17.0.2 . 80' });
    assert.deepEqual(maps['published_at']?.elements, {
      '192.0.2.1 . tcp . 81': '172.17.0.2 . 80',
    });
    assert.deepEqual(maps['bridges']?.elements, { '"swarm0"': '' });
  });

  test('an internal bridge is neither left nor masked', async () => {
    const { chains } = hostRuleset({ bridges: [{ ...bridge, internal: true }], ports: [] });
    assert.deepEqual(chains['postrouting']?.rules, []);
    assert.ok(chains['forward']?.rules.includes('iifname "swarm0" oifname != "swarm0" drop'));
  });

  test('the table exists while there is something to say', async () => {
    const kernel = new FakeKernel();
    const firewall = new HostFirewall({ kernel });
    assert.deepEqual(await kernel.nftTables(''), []);
    await firewall.addBridge(bridge);
    await firewall.setPorts('a', [port]);
    await firewall.setPorts('a', []);
    assert.deepEqual(await kernel.nftTables(''), ['ip swarm']);
    await firewall.removeBridge('swarm0');
    assert.deepEqual(await kernel.nftTables(''), []);
  });

  test('what is held is written once, and replaces what was there', async () => {
    const kernel = new FakeKernel();
    const before = new HostFirewall({ kernel });
    await before.addBridge({ ...bridge, device: 'old0' });
    const firewall = new HostFirewall({ kernel });
    firewall.hold();
    await firewall.addBridge(bridge);
    const bridges = async () =>
      (await kernel.nftElements('', 'ip swarm', 'bridges')).map(({ key }) => key[0]);
    assert.deepEqual(await bridges(), ['"old0"']);
    await firewall.release();
    assert.deepEqual(await bridges(), ['"swarm0"']);
  });

  test('a table that an earlier life left goes with nothing to replace it', async () => {
    const kernel = new FakeKernel();
    await new HostFirewall({ kernel }).addBridge(bridge);
    const firewall = new HostFirewall({ kernel });
    firewall.hold();
    await firewall.release();
    assert.deepEqual(await kernel.nftTables(''), []);
  });

  test('br_netfilter is switched off only where no other bridge may need it', async () => {
    const kernel = new FakeKernel();
    const key = 'net.bridge.bridge-nf-call-iptables';
    await kernel.apply('', [
      { op: 'add-bridge', name: 'docker0' },
      { op: 'add-bridge', name: 'swarm0' },
    ]);
    await new HostFirewall({ kernel }).addBridge(bridge);
    assert.equal(kernel.sysctl('', key), undefined);
    await kernel.deleteLinks('', ['docker0']);
    await new HostFirewall({ kernel }).addBridge(bridge);
    assert.equal(kernel.sysctl('', key), '0');
  });
});
