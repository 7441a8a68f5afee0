import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../../common/clock.ts';
import type { ManagerApi, ManagerStats } from '../../../manager/index.ts';
import { kinds } from '../../../manager/store/kinds.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { metricsHandler } from '../../../swarmd/metrics/http.ts';
import { Metrics } from '../../../swarmd/metrics/metrics.ts';
import { task } from '../../manager/store/objects.ts';
import { localStore } from '../../support/local-store.ts';
import { LOOPBACK } from '../../support/loopback.ts';

const facts = {
  cpuSeconds: 1,
  startedAt: 1_700_000_000,
  rss: 100,
  heapUsed: 50,
  heapTotal: 60,
  external: 7,
};

async function manager(): Promise<ManagerApi> {
  const { store } = localStore();
  await store.update((tx) => {
    tx.create('task', task('t1', { status: { state: TaskState.RUNNING } }));
    tx.create('task', task('t2', { status: { state: TaskState.RUNNING } }));
    tx.create('task', task('t3'));
  });
  const log = { term: 3, commitIndex: 12, appliedIndex: 10, lastIndex: 13, firstIndex: 2 };
  const rest = { snapshotIndex: 1, logBytes: 99, pendingBytes: 5 };
  const objects = Object.fromEntries(
    kinds.map((kind) => [kind, store.view((tx) => tx.count(kind))]),
  );
  return {
    isLeader: true,
    leader: () => ({}),
    members: () => [{ reachable: true }, { reachable: true }, { reachable: true, learner: true }],
    stats: () => ({ ...log, ...rest, objects }) as ManagerStats,
    readLocal: <T>(view: Parameters<typeof store.view<T>>[0]) => store.view(view),
  } as unknown as ManagerApi;
}

/** Samples by name and labels as they are written. */
function parse(text: string): Map<string, number> {
  const samples = text.split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test('a manager tells of its log, its store and its event loop', async () => {
  const leading = await manager();
  const metrics = new Metrics({ clock: systemClock, manager: () => leading, process: () => facts });
  metrics.proposed(3);
  const pauses = { longestMs: 60, waitedMs: 0, gcPauses: [{ kind: 'major' as const, ms: 20 }] };
  metrics.loopPeriod({ longestMs: 60, workMs: 55, gcMs: 20, cause: 'work' }, pauses);
  metrics.loopPeriod({ longestMs: 8, workMs: 8, gcMs: 0, cause: undefined }, pauses);
  const samples = parse(await metrics.scrape());
  assert.equal(samples.get('swarm_raft_term'), 3);
  assert.equal(samples.get('swarm_raft_apply_lag_entries'), 2);
  assert.equal(samples.get('swarm_raft_is_leader'), 1);
  assert.equal(samples.get('swarm_raft_members{role="voter",reachable="true"}'), 2);
  assert.equal(samples.get('swarm_raft_members{role="learner",reachable="true"}'), 1);
  assert.equal(samples.get('swarm_raft_proposal_seconds_bucket{le="0.0025"}'), 0);
  assert.equal(samples.get('swarm_raft_proposal_seconds_bucket{le="0.005"}'), 1);
  assert.equal(samples.get('swarm_store_objects{kind="task"}'), 3);
  assert.equal(samples.get('swarm_store_tasks{state="running"}'), 2);
  assert.equal(samples.get('swarm_store_tasks{state="new"}'), 1);
  assert.equal(samples.get('swarm_event_loop_delay_max_seconds'), 0.06);
  assert.equal(samples.get('swarm_event_loop_work_max_seconds'), 0.055);
  assert.equal(samples.get('swarm_event_loop_stretches_total{cause="work"}'), 1);
  assert.equal(samples.get('swarm_gc_pause_seconds_count{kind="major"}'), 2);
  const again = parse(await metrics.scrape());
  assert.equal(again.get('swarm_event_loop_delay_max_seconds'), 0);
  assert.equal(again.get('swarm_event_loop_delay_seconds_count'), 2);
});

test('a node that is no manager any more has no numbers of one', async () => {
  let current: ManagerApi | undefined = await manager();
  const metrics = new Metrics({ clock: systemClock, manager: () => current, process: () => facts });
  await metrics.scrape();
  current = undefined;
  const samples = parse(await metrics.scrape());
  const left = [...samples.keys()].filter((name) => /^swarm_(raft|store)/.test(name));
  assert.ok(
    left.every((name) => name.startsWith('swarm_raft_proposal_seconds')),
    left.join(),
  );
  assert.equal(samples.get('process_resident_memory_bytes'), 100);
  assert.equal(samples.get('process_cpu_seconds_total'), facts.cpuSeconds, 'not added up');
});

test('docs/metrics.md has every metric with its kind, and no other', async () => {
  const metrics = new Metrics({
    clock: systemClock,
    manager: () => undefined,
    process: () => facts,
  });
  const text = await metrics.scrape();
  const known = Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, ...type]) =>
    type.join(' '),
  );
  const docs = await readFile('docs/metrics.md', 'utf8');
  const rows = docs.split('\n').filter((line) => line.startsWith('| `'));
  const documented = rows.flatMap((row) =>
    Array.from(
      (row.split('|')[1] ?? '').matchAll(/`(\w+)[^`]*`/g),
      ([, name]) => `${name} ${row.split('|')[2]?.trim()}`,
    ),
  );
  assert.deepEqual(documented.sort(), known.sort());
});

test('the port for metrics serves them and nothing else', async () => {
  const metrics = new Metrics({
    clock: systemClock,
    manager: () => undefined,
    process: () => facts,
  });
  const server = createServer(metricsHandler(metrics));
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const { port } = server.address() as AddressInfo;
  const found = await fetch(`http://${LOOPBACK}:${port}/metrics`);
  assert.equal(found.status, 200);
  assert.match(found.headers.get('content-type') ?? '', /^text\/plain; version=0.0.4/);
  assert.match(await found.text(), /process_resident_memory_bytes 100/);
  assert.equal((await fetch(`http://${LOOPBACK}:${port}/info`)).status, 404);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
