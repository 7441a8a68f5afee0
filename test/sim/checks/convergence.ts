import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { ReadTx } from '../../../manager/store/types.ts';
import type { Service } from '../../../proto/gen/swarm/objects.ts';
import { NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import type { SimWorker } from '../cluster/sim-worker.ts';

/** What of the wishes of users is not so yet, for people; '' when all is. */
export function missingFrom(
  store: MemoryStore,
  all: readonly SimWorker[],
  lost: ReadonlySet<unknown>,
): string {
  const workers = all.filter((worker) => !lost.has(worker));
  if (workers.length === 0) return '';
  const gone = all.filter((worker) => lost.has(worker));
  return store.view((tx) => [...stillUp(tx, gone), ...differences(tx, workers)].join('; '));
}

function* stillUp(tx: ReadTx, gone: readonly SimWorker[]): Generator<string> {
  for (const { name } of gone) {
    const state = tx.get('node', name)?.status?.state;
    if (state !== NodeState.DOWN) yield `${name} is ${NodeState[state ?? 0]}, and lost`;
  }
}

function* differences(tx: ReadTx, workers: readonly SimWorker[]): Generator<string> {
  for (const { name, engine } of workers) {
    const state = tx.get('node', name)?.status?.state;
    if (state !== NodeState.READY) yield `${name} is ${NodeState[state ?? 0]}`;
    const doubles = engine.doubles();
    if (doubles.length > 0) yield `${name} has two containers of ${doubles}`;
  }
  const containers = workers.flatMap(({ engine }) => engine.running());
  for (const service of tx.all('service')) {
    const wanted = wantedBy(service, workers.length);
    const tasks = tx.find('task', { serviceId: service.id }).filter(isUp).length;
    const running = containers.filter((id) => id === service.id).length;
    if (tasks !== wanted || running !== wanted) {
      yield `${service.id} wants ${wanted}, has ${tasks} tasks and ${running} containers`;
    }
  }
  const strays = containers.filter((id) => !tx.get('service', id));
  if (strays.length > 0) yield `containers of services that are gone: ${strays}`;
}

function isUp({
  status,
  desiredState,
}: {
  status?: { state: TaskState } | undefined;
  desiredState: TaskState;
}) {
  return status?.state === TaskState.RUNNING && desiredState === TaskState.RUNNING;
}

function wantedBy({ spec }: Service, nodes: number): number {
  return spec?.mode?.$case === 'replicated' ? spec.mode.replicated.replicas : nodes;
}
