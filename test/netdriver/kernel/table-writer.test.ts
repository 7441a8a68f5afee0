import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ruleset } from '../../../netdriver/kernel/ruleset.ts';
import { TableWriter } from '../../../netdriver/kernel/table-writer.ts';
import { NftSimulator } from '../support/nft-simulator.ts';

const ruleset = (...rules: string[]): Ruleset => ({
  family: 'ip',
  table: 'swarm',
  maps: {},
  chains: { c: { rules } },
});

/** nft that takes its time, and fails when told to. */
function slowNft() {
  const nft = new NftSimulator();
  const scripts: string[] = [];
  const state = { failNext: false };
  const kernel = {
    async nft(_netns: string, script: string) {
      scripts.push(script);
      await new Promise((resolve) => setImmediate(resolve));
      if (state.failNext) {
        state.failNext = false;
        throw new Error('nft failed');
      }
      nft.run(script);
    },
  };
  const rules = () => [...nft.tables.values()].map((table) => table.chains.get('c')?.rules);
  return { kernel, scripts, state, rules };
}

describe('a table writer', () => {
  test('turns a burst into two transactions, the last of which holds', async () => {
    const { kernel, scripts, rules } = slowNft();
    const writer = new TableWriter({ kernel }, { netns: 'x', fresh: true });
    await Promise.all(['a', 'b', 'c', 'd'].map((rule) => writer.set(ruleset(rule))));
    assert.equal(scripts.length, 2);
    assert.deepEqual(rules(), [['d']]);
  });

  test('writes the table whole after a failure, and tells the callers of that run', async () => {
    const { kernel, state, rules } = slowNft();
    const writer = new TableWriter({ kernel }, { netns: 'x', fresh: true });
    await writer.set(ruleset('a'));
    state.failNext = true;
    const [failed, next] = [writer.set(ruleset('b')), writer.set(ruleset('c'))];
    await assert.rejects(failed, /nft failed/);
    await next;
    assert.deepEqual(rules(), [['c']]);
  });

  test('removes its table, and nothing when there is none', async () => {
    const { kernel, scripts, rules } = slowNft();
    const writer = new TableWriter({ kernel }, { netns: 'x' });
    await writer.clear();
    assert.equal(scripts.length, 0);
    await writer.set(ruleset('a'));
    await writer.clear();
    assert.deepEqual(rules(), []);
  });
});
