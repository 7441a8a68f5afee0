/**
 * What the dispatcher costs the leader: sessions of many nodes, assignments to them, and their
 * statuses, with a log that commits at once. Run: node --import tsx test/bench/dispatcher.ts [nodes] [tasks]
 */
import { systemClock } from '../../common/clock.ts';
import { silentLogger } from '../../common/logger.ts';
import { systemRandom } from '../../common/random.ts';
import { Dispatcher } from '../../manager/dispatcher/dispatcher.ts';
import { NodeDescription, TaskState, TaskStatus } from '../../proto/gen/swarm/types.ts';
import { cluster, node, task } from '../manager/dispatcher/objects.ts';
import { localStore } from '../support/local-store.ts';

const nodeCount = Number(process.argv[2] ?? 1_000);
const taskCount = Number(process.argv[3] ?? 20_000);

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const { store } = localStore();
await store.update((tx) => tx.create('cluster', cluster()));
await store.batch(numbers(nodeCount), (tx, i) => tx.create('node', node(`n${i}`)));
const membership = { members: () => [], onMembers: () => () => undefined };
const world = { store, membership, clock: systemClock, random: systemRandom, logger: silentLogger };
const dispatcher = new Dispatcher(world, { nodeId: 'manager' });
await dispatcher.start();

const stop = new AbortController();
const sessionIds: string[] = [];
let sessions = 0;
let assigned = 0;

async function runNode(i: number): Promise<void> {
  const caller = { nodeId: `n${i}`, addr: '10.0.0.1' };
  const description = NodeDescription.fromPartial({
    hostname: `host${i}`,
    gossipPeerId: `peer${i}`,
    gossipAddr: `10.0.${i >> 8}.${i & 255}:7946`,
  });
  const request = { description, sessionId: '' };
  for await (const { sessionId } of dispatcher.session(caller, request, stop.signal)) {
    if (sessionIds[i]) continue;
    sessionIds[i] = sessionId;
    sessions++;
    readAssignments(i).catch(() => undefined);
  }
}

async function readAssignments(i: number): Promise<void> {
  const caller = { nodeId: `n${i}`, addr: '' };
  const stream = dispatcher.assignments(caller, sessionIds[i] ?? '', stop.signal);
  for await (const { changes } of stream) assigned += changes.length;
}

async function report(i: number): Promise<void> {
  const status = TaskStatus.fromPartial({ state: TaskState.RUNNING });
  const updates = numbers(Math.floor(taskCount / nodeCount)).map((k) => {
    return { taskId: `t${k * nodeCount + i}`, status };
  });
  await dispatcher.updateTaskStatus({ nodeId: `n${i}`, addr: '' }, sessionIds[i] ?? '', updates);
}

async function measure(what: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  const wall = Math.round(performance.now() - start);
  console.log(`${what}: ${wall} ms, ${Math.round((user + system) / 1000)} ms of CPU`);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

await measure(`${nodeCount} sessions`, async () => {
  for (const i of numbers(nodeCount)) runNode(i).catch(() => undefined);
  await until(() => sessions === nodeCount);
});
await measure(`${taskCount} assignments`, async () => {
  await store.batch(numbers(taskCount), (tx, i) =>
    tx.create('task', task(`t${i}`, `n${i % nodeCount}`)),
  );
  await until(() => assigned === taskCount);
});
await measure(`${taskCount} statuses`, () => Promise.all(numbers(nodeCount).map(report)));
stop.abort(new Error('done'));
await dispatcher.stop();
