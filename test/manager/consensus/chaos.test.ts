import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { TestCluster, type TestManager, until } from './harness.ts';

const INIT = { tickMs: 50, snapshotPolicy: { interval: 400, keep: 50 } };

interface Outcome {
  readonly text: string;
  readonly index: number;
  result: 'waiting' | 'committed' | 'lost';
  settled: number;
}

/** Proposes one text after the other to whoever leads, and keeps what became of each. */
class Writer {
  readonly outcomes: Outcome[] = [];
  readonly #cluster: TestCluster;
  readonly #name: string;
  #stopped = false;

  constructor(cluster: TestCluster, name: string) {
    this.#cluster = cluster;
    this.#name = name;
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      const leader = this.#cluster.running.find(({ api }) => api.isLeader);
      if (leader) await this.#write(leader);
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #write(leader: TestManager): Promise<void> {
    const text = `${this.#name}/${this.outcomes.length}`;
    try {
      const { index, committed } = leader.api.propose(Buffer.from(text));
      const outcome: Outcome = { text, index, result: 'waiting', settled: 0 };
      this.outcomes.push(outcome);
      const settle = (result: Outcome['result']) => {
        outcome.result = result;
        outcome.settled++;
      };
      await committed.then(
        () => settle('committed'),
        () => settle('lost'),
      );
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

describe('managers that crash and come back', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('lose nothing that was acknowledged, and agree', async () => {
    cluster = await TestCluster.create(5, INIT);
    const writers = Array.from({ length: 8 }, (_, i) => new Writer(cluster, `w${i}`));
    const running = writers.map((writer) => writer.run());
    for (let round = 0; round < 8; round++) {
      // The leader every other time, two at once now and then: never a majority.
      const leader = await cluster.leader();
      const [first, second] = await cluster.followers();
      const victims = round % 2 === 0 ? [leader] : round % 3 === 0 ? [first!, second!] : [first!];
      await Promise.all(victims.map((victim) => victim.kill()));
      const next = await cluster.leader();
      const before = next.api.appliedIndex;
      await until(() => !next.api.isLeader || next.api.appliedIndex > before + 20, 'it goes on');
      await Promise.all(victims.map((victim) => victim.start(INIT)));
    }
    for (const writer of writers) writer.stop();
    await Promise.all(running);

    const outcomes = writers.flatMap((writer) => writer.outcomes);
    assert.ok(outcomes.every(({ settled }) => settled === 1));
    const last = Math.max(...cluster.running.map(({ api }) => api.appliedIndex));
    await until(() => cluster.running.every(({ api }) => api.appliedIndex >= last), 'all have all');
    const [reference, ...others] = cluster.managers.map(({ machine }) => machine.entries);
    for (const entries of others) assert.deepEqual(entries, reference);
    const indexes = new Map(reference!.map(({ index, text }) => [text, index]));
    assert.equal(indexes.size, reference!.length, 'nothing is applied twice');
    const acknowledged = outcomes.filter(({ result }) => result === 'committed');
    assert.ok(acknowledged.length > 100);
    for (const { text, index } of acknowledged) assert.equal(indexes.get(text), index);
  });
});

describe('a proposal', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('has one outcome, after the listeners know', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    const { api } = leader;
    const events: string[] = [];
    api.onLeadership((isLeader) => events.push(`leader ${isLeader} ${api.isLeader}`));
    const proposals = Array.from({ length: 50 }, (_, i) => api.propose(Buffer.from(`${i}`)));
    const outcomes = proposals.map(({ committed }) =>
      committed.then(
        () => 'committed',
        (error) => {
          events.push(`rejected ${leader.machine.discards}`);
          assert.equal(error.code, 'SWM_UNAVAILABLE');
          return 'lost';
        },
      ),
    );
    await leader.kill();
    const results = await Promise.all(outcomes);
    assert.equal(events[0], 'leader false false');
    assert.ok(events.slice(1).every((event) => event === 'rejected 1'));
    assert.ok(results.includes('lost'));
    const next = await cluster.leader();
    const kept = new Set(next.machine.texts);
    results.forEach((result, i) => {
      if (result === 'committed') assert.ok(kept.has(`${i}`));
    });
  });

  it('is refused above the size limit, and does no harm there', async () => {
    cluster = await TestCluster.create(1, INIT);
    const { api } = await cluster.leader();
    assert.throws(() => api.propose(Buffer.alloc(3_000_000)), { code: 'SWM_RESOURCE_EXHAUSTED' });
    await api.propose(Buffer.alloc(2_000_000)).committed;
  });
});
