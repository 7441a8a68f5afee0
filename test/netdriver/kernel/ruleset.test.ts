import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type Ruleset,
  renderChange,
  renderRemoval,
  renderTable,
} from '../../../netdriver/kernel/ruleset.ts';
import { NftSimulator } from '../support/nft-simulator.ts';

const services = fc.uniqueArray(fc.integer({ min: 2, max: 12 }), { maxLength: 6 });
const backends = fc.uniqueArray(fc.integer({ min: 20, max: 30 }), { maxLength: 4 });

/** Rulesets of the kind that planners make: chains that maps point to, maps that rules use. */
const rulesets = fc
  .record({ services, backends, extraMap: fc.boolean(), hook: fc.constantFrom('a', 'b') })
  .map(({ services, backends, extraMap, hook }): Ruleset => {
    const chains = Object.fromEntries(
      services.map((n) => [`vip-${n}`, { rules: backends.map((b) => `dnat to 10.0.0.${b + n}`) }]),
    );
    return {
      family: 'ip',
      table: 'swarm',
      maps: {
        services: {
          type: 'ipv4_addr : verdict',
          elements: Object.fromEntries(services.map((n) => [`10.0.0.${n}`, `goto vip-${n}`])),
        },
        ...(extraMap ? { extra: { type: 'ifname', elements: { '"br0"': '' } } } : {}),
      },
      chains: {
        ...chains,
        main: {
          hook: `type nat hook prerouting priority ${hook};`,
          rules: ['ip daddr vmap @services', ...(extraMap ? ['iifname @extra drop'] : [])],
        },
      },
    };
  });

function stateAfter(...scripts: string[]): unknown {
  const nft = new NftSimulator();
  for (const script of scripts) nft.run(script);
  return nft.state();
}

describe('rulesets', () => {
  test('a change leads to the same table as writing it whole', () => {
    fc.assert(
      fc.property(rulesets, rulesets, rulesets, (first, second, third) => {
        const steps = [
          renderTable(first, { fresh: true }),
          renderChange(first, second),
          renderChange(second, third),
        ];
        assert.deepEqual(stateAfter(...steps), stateAfter(renderTable(third)));
      }),
    );
  });

  test('nothing is written when nothing changed', () => {
    fc.assert(fc.property(rulesets, (ruleset) => renderChange(ruleset, ruleset) === ''));
  });

  test('a table that stands there already is replaced', () => {
    fc.assert(
      fc.property(rulesets, rulesets, (first, second) => {
        const replaced = stateAfter(renderTable(first), renderTable(second));
        assert.deepEqual(replaced, stateAfter(renderTable(second)));
      }),
    );
  });

  test('removal works whether or not the table is there', () => {
    const own = { family: 'ip', table: 'swarm' } as const;
    assert.deepEqual(stateAfter(renderRemoval(own)), {});
    assert.deepEqual(stateAfter('add table ip swarm\n', renderRemoval(own)), {});
  });

  test('one backend more touches one chain', () => {
    const of = (backends: string): Ruleset => ({
      family: 'ip',
      table: 'swarm',
      maps: {},
      chains: { a: { rules: [`dnat to ${backends}`] }, b: { rules: ['accept'] } },
    });
    assert.equal(
      renderChange(of('10.0.0.1'), of('10.0.0.2')),
      'flush chain ip swarm a\nadd rule ip swarm a dnat to 10.0.0.2\n',
    );
  });
});
