/**
 * How fast waiting tasks get their nodes, with the store and its transactions but a log that commits
 * at once. Run: node --import tsx test/bench/scheduler.ts [nodes] [tasks]
 */
import { systemClock } from '../../common/clock.ts';
import { Scheduler } from '../../manager/scheduler/scheduler.ts';
import { Node, Task } from '../../proto/gen/swarm/objects.ts';
import { NodeState, TaskState } from '../../proto/gen/swarm/types.ts';
import { localStore } from '../support/local-store.ts';

const nodeCount = Number(process.argv[2] ?? 1000);
const taskCount = Number(process.argv[3] ?? 100_000);
const SERVICES = 100;

interface Scenario {
  readonly name: string;
  readonly constraints: readonly string[];
  readonly versioned: boolean;
  readonly tasks: number;
}

function newNode(i: number): Node {
  return Node.fromPartial({
    id: `node${i}`,
    status: { state: NodeState.READY },
    spec: { annotations: { labels: { zone: `z${i % 3}` } } },
    description: { hostname: `host${i}`, resources: { nanoCpus: 64e9, memoryBytes: 2 ** 38 } },
  });
}

function newTask(i: number, { constraints, versioned }: Scenario): Task {
  const serviceId = `service${i % SERVICES}`;
  return Task.fromPartial({
    id: `task${i}`,
    serviceId,
    slot: Math.floor(i / SERVICES) + 1,
    ...(versioned ? { specVersion: { index: 1 } } : {}),
    desiredState: TaskState.RUNNING,
    spec: {
      runtime: { $case: 'container', container: { image: 'nginx' } },
      resources: { reservations: { nanoCpus: 1e6, memoryBytes: 2 ** 20 } },
      placement: { constraints },
    },
    status: { state: TaskState.PENDING, message: 'pending task scheduling' },
  });
}

async function run(scenario: Scenario): Promise<void> {
  const { store } = localStore();
  const nodes = Array.from({ length: nodeCount }, (_, i) => newNode(i));
  await store.batch(nodes, (tx, node) => tx.create('node', node));
  const tasks = Array.from({ length: scenario.tasks }, (_, i) => newTask(i, scenario));
  await store.batch(tasks, (tx, task) => tx.create('task', task));

  const scheduler = new Scheduler({ store, clock: systemClock });
  let assigned = 0;
  const done = new Promise<void>((resolve) => {
    store.subscribe(({ changes }) => {
      for (const { kind, object } of changes) if (kind === 'task' && object.nodeId) assigned += 1;
      if (assigned === scenario.tasks) resolve();
    });
  });
  const lag = watchLag();
  const start = performance.now();
  await scheduler.start();
  await done;
  const seconds = (performance.now() - start) / 1000;
  await scheduler.stop();
  const perNode = nodes.map(({ id }) => store.view((tx) => tx.find('task', { nodeId: id }).length));
  const spread = `${Math.min(...perNode)}-${Math.max(...perNode)} a node`;
  const rate = Math.round(scenario.tasks / seconds).toLocaleString();
  const name = `${nodeCount} nodes, ${scenario.tasks} tasks, ${scenario.name}`;
  console.log(`${name.padEnd(52)} ${rate.padStart(8)}/s  ${spread}  lag ${lag.stop()} ms`);
}

/** The longest time for which the event loop was busy. */
function watchLag(): { stop(): number } {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 1);
    last = performance.now();
  }, 1);
  return {
    stop() {
      clearInterval(timer);
      return Math.round(longest);
    },
  };
}

const plain = { constraints: [], versioned: true, tasks: taskCount };
await run({ ...plain, name: 'in groups' });
await run({ ...plain, name: 'in groups, constrained', constraints: ['node.labels.zone!=z1'] });
await run({ ...plain, name: 'one by one', versioned: false, tasks: taskCount / 10 });
