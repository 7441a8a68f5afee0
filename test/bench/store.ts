/**
 * Store transactions per second with a log that commits at once: what the store itself costs.
 * Run: node --import tsx test/bench/store.ts [tasks]
 */
import { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { localStore } from '../support/local-store.ts';

const count = Number(process.argv[2] ?? 100_000);
const { store } = localStore();

function newTask(i: number): Task {
  const serviceId = `service${i % 100}`;
  return Task.fromPartial({
    id: `${i.toString(36).padStart(6, '0')}0123456789abcdefghi`,
    serviceId,
    slot: Math.floor(i / 100) + 1,
    nodeId: `node${i % 1000}`,
    desiredState: TaskState.RUNNING,
    spec: { runtime: { $case: 'container', container: { image: 'nginx:latest' } } },
    serviceAnnotations: { name: serviceId, labels: { a: 'b' } },
    status: { state: TaskState.NEW, message: 'created', timestamp: new Date() },
  });
}

async function measure(what: string, operations: number, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  console.log(`${what.padEnd(44)} ${Math.round(operations / seconds).toLocaleString()}/s`);
}

/** `clients` callers, each of which waits for its write before the next. */
async function concurrently(clients: number, total: number, write: (i: number) => Promise<void>) {
  let next = 0;
  const client = async () => {
    for (let i = next++; i < total; i = next++) await write(i);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

const tasks = Array.from({ length: count }, (_, i) => newTask(i));
const idOf = (i: number) => (tasks[i % count] as Task).id;
const touch = (i: number) =>
  store.update((tx) => {
    const task = tx.get('task', idOf(i)) as Task;
    tx.update('task', { ...task, status: { ...task.status!, message: `touched ${i}` } });
  });

await measure('create, batch of tasks (objects)', count, () =>
  store.batch(tasks, (tx, task) => tx.create('task', task)),
);
await measure('update, 1 client', 50_000, () => concurrently(1, 50_000, touch));
await measure('update, 32 clients', 50_000, () => concurrently(32, 50_000, touch));
await measure('find by service in an update', 200, () =>
  concurrently(1, 200, async (i) => {
    await store.update((tx) => tx.find('task', { serviceId: `service${i % 100}` }).length);
  }),
);
await measure('find by slot', 200_000, async () => {
  for (let i = 0; i < 200_000; i++) {
    store.view((tx) => tx.find('task', { slot: { serviceId: `service${i % 100}`, slot: 5 } }));
  }
});

let longest = 0;
let last = performance.now();
const watch = setInterval(() => {
  longest = Math.max(longest, performance.now() - last - 1);
  last = performance.now();
}, 1);
const chunks: Uint8Array[] = [];
await measure('snapshot (objects)', count, async () => {
  for await (const chunk of store.snapshot()) chunks.push(chunk);
});
const copy = localStore().store;
await measure('restore (objects)', count, () =>
  copy.restore(
    store.appliedIndex,
    (async function* () {
      yield* chunks;
    })(),
  ),
);
clearInterval(watch);
console.log(`longest stretch in snapshot and restore: ${longest.toFixed(1)} ms`);
const { heapUsed } = process.memoryUsage();
console.log(`heap: ${Math.round(heapUsed / 2 ** 20)} MiB for two copies of ${count} tasks`);
