import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { PolicyRule, Route } from '../../../netdriver/kernel/types.ts';
import { staleHostLinks } from '../../../netdriver/leftovers.ts';
import { isOurNetns } from '../../../netdriver/names.ts';
import { networkConfigOf } from '../../../netdriver/network-config.ts';
import { bridgeOps, configureOps, overlayMtu } from '../../../netdriver/overlay/plan.ts';
import { clientRouteOps, clientRoutesIn } from '../../../netdriver/sandbox/client-routes.ts';
import { sandboxRuleset } from '../../../netdriver/sandbox/sandbox-rules.ts';
import { GossipPort } from '../../../proto/gen/swarm/gossip.ts';
import { Network } from '../../../proto/gen/swarm/objects.ts';
import { attachment, overlayNetwork } from '../support/builders.ts';

describe('routes back to clients', () => {
  const addresses = fc
    .uniqueArray(fc.integer({ min: 2, max: 9 }), { maxLength: 6 })
    .map((hosts) => new Set(hosts.map((host) => `10.0.0.${host}`)));

  test('follow any change of the ingress endpoints', () => {
    fc.assert(
      fc.property(fc.array(addresses), fc.boolean(), (steps, ordered) => {
        const rules = new Map<number, PolicyRule>();
        const routes = new Map<number, Partial<Route>>();
        let old: ReadonlySet<string> = new Set();
        for (const next of steps) {
          const { removals, additions } = clientRouteOps(old, next, { ifname: 'eth0', ordered });
          for (const op of [...removals, ...additions]) {
            if (op.op === 'add-rule') rules.set(op.mark, op);
            else if (op.op === 'del-rule') assert.ok(rules.delete(op.mark));
            else if (op.op === 'set-route') routes.set(op.table ?? 0, op);
            else if (op.op === 'del-route') assert.ok(routes.delete(op.table ?? 0));
          }
          assert.deepEqual(clientRoutesIn([...rules.values()]), next);
          assert.deepEqual(new Set([...routes.values()].map(({ via }) => via)), next);
          old = next;
        }
      }),
    );
  });

  test('the mark is the address, in the byte order that nft makes', () => {
    const markOf = (ordered: boolean) => {
      const via = { ifname: 'eth0', ordered };
      const [, rule] = clientRouteOps(new Set(), new Set(['10.0.0.2']), via).additions;
      return rule?.op === 'add-rule' ? rule.mark : undefined;
    };
    assert.equal(markOf(true), 0x0a000002);
    assert.equal(markOf(false), 0x0200000a);
  });
});

describe('the table of a container', () => {
  test('has only what the container needs', () => {
    assert.deepEqual(sandboxRuleset({}).chains, {});
    const resolver = { udpPort: 40001, tcpPort: 40002 };
    assert.deepEqual(Object.keys(sandboxRuleset({ resolver }).chains), ['resolver']);
  });

  test('leads published ports to target ports and drops the rest', () => {
    const ports = [
      GossipPort.fromPartial({ publishedPort: 8080, targetPort: 80 }),
      GossipPort.fromPartial({ publishedPort: 5300, targetPort: 53, protocol: 1 }),
      GossipPort.fromPartial({ targetPort: 99 }),
    ];
    const { chains } = sandboxRuleset({ ingress: { ifname: 'eth0', ip: '10.0.0.5', ports } });
    assert.deepEqual(chains['ingress_redirect']?.rules, [
      'iifname "eth0" ip daddr 10.0.0.5 tcp dport 8080 redirect to :80',
      'iifname "eth0" ip daddr 10.0.0.5 udp dport 5300 redirect to :53',
    ]);
    assert.equal(chains['ingress_input']?.rules.length, 3);
    assert.match(chains['ingress_input']?.rules.at(-1) ?? '', /drop$/);
  });
});

describe('the devices of an overlay', () => {
  test('leave room for the tunnel', () => {
    assert.equal(overlayMtu(overlayNetwork('a')), 1450);
    const options = { 'com.docker.network.driver.mtu': '9000' };
    assert.equal(overlayMtu(overlayNetwork('a', { options })), 8950);
  });

  test('other subnets of a network are behind the gateway of the own one', () => {
    const network = overlayNetwork('two', {
      subnets: [
        { subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4097 },
        { subnet: '10.0.2.0/24', gateway: '10.0.2.1', vni: 4098 },
      ],
    });
    assert.equal(bridgeOps(network).filter(({ op }) => op === 'add-bridge').length, 2);
    assert.deepEqual(configureOps(network, { address: '10.0.2.5/24' }, 'eth3').at(-1), {
      op: 'set-route',
      to: '10.0.1.0/24',
      via: '10.0.2.1',
      dev: 'eth3',
    });
  });

  test('a network’s configuration comes from the object of the managers', () => {
    const wanted = overlayNetwork('back', { labels: {} });
    const { network } = attachment(wanted, '10.0.1.9/24');
    assert.ok(network);
    const { options, ...rest } = networkConfigOf(network);
    const { options: _, ...expected } = wanted;
    assert.deepEqual(rest, expected);
    assert.equal(options['com.docker.network.driver.overlay.vxlanid_list'], '4097');
  });

  test('each IPv4 subnet of a network has the VXLAN id of its place', () => {
    const network = Network.fromPartial({
      driverState: { options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097,4098' } },
      ipam: {
        configs: [
          { family: 4, subnet: '10.0.1.0/24', gateway: '10.0.1.1' },
          { family: 6, subnet: 'fd00::/64', gateway: 'fd00::1' },
          { family: 4, subnet: '10.0.2.0/24', gateway: '10.0.2.1', range: '10.0.2.128/25' },
        ],
      },
    });
    assert.deepEqual(networkConfigOf(network).subnets, [
      { subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4097 },
      { subnet: '10.0.2.0/24', gateway: '10.0.2.1', vni: 4098, range: '10.0.2.128/25' },
    ]);
  });
});

describe('leftovers', () => {
  test('are ports of our bridges that belong to nobody, and empty bridges', () => {
    const link = (index: number, name: string, kind: string, master = 0) => ({
      index,
      name,
      kind,
      master,
      mac: '',
      mtu: 1500,
      up: true,
      vni: undefined,
    });
    const links = [
      link(1, 'eth0', ''),
      link(2, 'swarm0', 'bridge'),
      link(3, 'br-empty', 'bridge'),
      link(4, 'docker0', 'bridge'),
      link(5, 'vethused', 'veth', 2),
      link(6, 'vethstale', 'veth', 2),
      link(7, 'vethdocker', 'veth', 4),
    ];
    const ours = {
      devices: new Set(['swarm0', 'br-empty']),
      usedDevices: new Set(['swarm0']),
      usedPorts: new Set(['vethused']),
    };
    assert.deepEqual(staleHostLinks(links, ours), ['vethstale', 'br-empty']);
  });

  test('names of others are left alone', () => {
    for (const name of ['1-abcdefghij', 'lb_abcdefghi', 'ingress_sbox', '0123456789ab']) {
      assert.ok(isOurNetns(name), name);
    }
    for (const name of ['swarm-lab-manager', 'cni-0123', 'default', '2-abcdefghij', 'abc']) {
      assert.ok(!isOurNetns(name), name);
    }
  });
});
