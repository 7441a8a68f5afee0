import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ipvsLines, ipvsRuleset } from '../../../netdriver/balancer/ipvs.ts';
import { balancerRuleset } from '../../../netdriver/balancer/nftables.ts';
import type { BalancerPlan } from '../../../netdriver/balancer/types.ts';
import { renderChange, renderTable } from '../../../netdriver/kernel/ruleset.ts';
import { NftSimulator } from '../support/nft-simulator.ts';

const backends = fc.uniqueArray(fc.integer({ min: 10, max: 20 }), { maxLength: 5 }).chain((hosts) =>
  fc.tuple(
    ...hosts.map((host) =>
      fc.record({
        ip: fc.constant(`10.0.1.${host}`),
        weight: fc.integer({ min: 0, max: 3 }),
      }),
    ),
  ),
);
const plans: fc.Arbitrary<BalancerPlan> = fc.record({
  address: fc.constant('10.0.1.254'),
  scheduler: fc.constantFrom('rr', 'sh'),
  mtu: fc.constant(1450),
  services: fc.uniqueArray(
    fc.record({ vip: fc.integer({ min: 2, max: 6 }).map((n) => `10.0.1.${n}`), backends }),
    { maxLength: 4, selector: (service) => service.vip },
  ),
  ports: fc.uniqueArray(
    fc.record({
      protocol: fc.constantFrom('tcp', 'udp'),
      port: fc.integer({ min: 80, max: 83 }),
      snat: fc.boolean(),
      backends,
    }),
    { maxLength: 4, selector: (port) => `${port.protocol} ${port.port}` },
  ),
});

const plan = (init: Partial<BalancerPlan>): BalancerPlan => ({
  address: '10.0.1.254',
  scheduler: 'rr',
  mtu: 1450,
  services: [],
  ports: [],
  ...init,
});

describe('balancing with nftables', () => {
  test('weights are shares of the numbers that are drawn', () => {
    const ruleset = balancerRuleset(
      plan({
        services: [
          {
            vip: '10.0.1.2',
            backends: [
              { ip: '10.0.1.10', weight: 1 },
              { ip: '10.0.1.11', weight: 3 },
              { ip: '10.0.1.12', weight: 0 },
            ],
          },
        ],
      }),
    );
    assert.deepEqual(ruleset.chains['vip-10.0.1.2']?.rules, [
      'dnat to numgen inc mod 4 map { 0 : 10.0.1.10, 1-3 : 10.0.1.11 }',
    ]);
    assert.deepEqual(ruleset.maps['services']?.elements, { '10.0.1.2': 'goto vip-10.0.1.2' });
  });

  test('a source hash draws by the client', () => {
    const service = { vip: '10.0.1.2', backends: [{ ip: '10.0.1.10', weight: 1 }] };
    const ruleset = balancerRuleset(plan({ scheduler: 'sh', services: [service] }));
    assert.match(ruleset.chains['vip-10.0.1.2']?.rules[0] ?? '', /^dnat to jhash ip saddr mod 1 /);
  });

  test('a service without a live backend translates nothing', () => {
    const service = { vip: '10.0.1.2', backends: [{ ip: '10.0.1.10', weight: 0 }] };
    const ruleset = balancerRuleset(plan({ services: [service] }));
    assert.deepEqual(ruleset.chains['vip-10.0.1.2']?.rules, []);
  });

  test('every change is a transaction that nft takes', () => {
    fc.assert(
      fc.property(fc.array(plans, { minLength: 1, maxLength: 4 }), ([first, ...rest]) => {
        assert.ok(first);
        const nft = new NftSimulator();
        let ruleset = balancerRuleset(first);
        nft.run(renderTable(ruleset, { fresh: true }));
        for (const next of rest) {
          nft.run(renderChange(ruleset, balancerRuleset(next)));
          ruleset = balancerRuleset(next);
        }
        const whole = new NftSimulator();
        whole.run(renderTable(ruleset));
        assert.deepEqual(nft.state(), whole.state());
      }),
    );
  });
});

/** ipvsadm's table after lines of `ipvsadm -R`. */
function runIpvs(lines: string[], table = new Map<string, Map<string, string>>()) {
  for (const line of lines) {
    const [verb, , mark = '', flag, value = '', , , weight = ''] = line.split(' ');
    const service = table.get(mark);
    if (verb === '-A') assert.ok(!service && table.set(mark, new Map([['scheduler', value]])));
    else if (verb === '-E') assert.ok(service?.set('scheduler', value));
    else if (verb === '-D') assert.ok(table.delete(mark));
    else if (verb === '-a') assert.ok(service && !service.has(value) && service.set(value, weight));
    else if (verb === '-e') assert.ok(service?.has(value) && service.set(value, weight));
    else if (verb === '-d') assert.ok(flag === '-r' && service?.delete(value));
    else assert.fail(line);
  }
  return table;
}

describe('balancing with IPVS', () => {
  test('changes lead to the same table as starting anew', () => {
    fc.assert(
      fc.property(plans, plans, (first, second) => {
        const changed = runIpvs(ipvsLines(first, second), runIpvs(ipvsLines(undefined, first)));
        const sorted = (table: typeof changed) =>
          [...table].map(([mark, entries]) => [mark, [...entries].sort()]).sort();
        assert.deepEqual(sorted(changed), sorted(runIpvs(ipvsLines(undefined, second))));
      }),
    );
  });

  test('a virtual address is marked whole, a published port by protocol', () => {
    const backends = [{ ip: '10.0.1.10', weight: 1 }];
    const { chains } = ipvsRuleset(
      plan({
        services: [{ vip: '10.0.1.2', backends }],
        ports: [{ protocol: 'udp', port: 53, snat: true, backends }],
      }),
    );
    assert.deepEqual(chains['prerouting']?.rules, [
      'ip daddr 10.0.1.2 meta mark set 167772418',
      'meta l4proto udp th dport 53 meta mark set 65589',
    ]);
    assert.equal(chains['postrouting']?.rules.length, 2);
  });
});
