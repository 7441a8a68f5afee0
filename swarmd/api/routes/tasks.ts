import { explainPlacement, isDirty, type ReadTx, taskName } from '../../../manager/index.ts';
import type { Task } from '../../../proto/gen/swarm/objects.ts';
import type { RouteGroup } from '../components.ts';
import { rejectionToApi, taskStates, taskToApi } from '../convert/task.ts';
import { runtimeOf } from '../convert/task-spec-to-api.ts';
import { requireManager } from '../guards.ts';
import { Filters } from '../http/filters.ts';
import { lookUp } from '../lookup.ts';

const FILTERS = [
  '_up-to-date',
  'desired-state',
  'id',
  'label',
  'name',
  'node',
  'runtime',
  'service',
];

export const taskRoutes: RouteGroup = (app, { node }) => {
  app.get('/tasks', async (request) => {
    const filters = new Filters(request, FILTERS);
    const tasks = await requireManager(node).read((tx) => select(tx, filters));
    return tasks.map(taskToApi);
  });

  app.get<{ Params: { id: string } }>('/tasks/:id', async (request) => {
    const manager = requireManager(node);
    return taskToApi(await manager.read((tx) => lookUp(tx, 'task', request.params.id)));
  });

  // Not of Docker's API: why no node takes a task now, or what speaks against the other nodes.
  app.get<{ Params: { id: string } }>('/tasks/:id/placement', async (request) => {
    const { summary, rejections } = await requireManager(node).read((tx) =>
      explainPlacement(tx, lookUp(tx, 'task', request.params.id)),
    );
    return { Summary: summary, Rejections: rejections.map(rejectionToApi) };
  });
};

function select(tx: ReadTx, filters: Filters): Task[] {
  const services = idsOf(tx, 'service', filters);
  const nodes = idsOf(tx, 'node', filters);
  return candidates(tx, services, nodes).filter(
    (task) =>
      (!services || services.includes(task.serviceId)) &&
      (!nodes || nodes.includes(task.nodeId)) &&
      matches(tx, filters, task),
  );
}

/** `service` and `node` name objects: ids, names or prefixes. Throws SWM_NOT_FOUND. */
function idsOf(tx: ReadTx, kind: 'service' | 'node', filters: Filters) {
  if (!filters.has(kind)) return undefined;
  return filters.values(kind).map((ref) => lookUp(tx, kind, ref).id);
}

function candidates(tx: ReadTx, services?: readonly string[], nodes?: readonly string[]): Task[] {
  if (services) return services.flatMap((serviceId) => tx.find('task', { serviceId }));
  if (nodes) return nodes.flatMap((nodeId) => tx.find('task', { nodeId }));
  return [...tx.all('task')];
}

function matches(tx: ReadTx, filters: Filters, task: Task): boolean {
  const runtime = runtimeOf(task.spec);
  // Attachments of standalone containers are tasks too, but nobody's who lists tasks.
  const asked = filters.has('runtime') || filters.has('id');
  const upToDate = filters.boolean('_up-to-date');
  return (
    (asked || runtime !== 'attachment') &&
    filters.is('runtime', runtime) &&
    filters.prefix('id', task.id) &&
    filters.prefix('name', taskName(task)) &&
    filters.labels('label', task.serviceAnnotations?.labels ?? {}) &&
    filters.is('desired-state', taskStates.toWord(task.desiredState)) &&
    (!upToDate || isUpToDate(tx, task))
  );
}

function isUpToDate(tx: ReadTx, task: Task): boolean {
  const service = tx.get('service', task.serviceId);
  return service !== undefined && !isDirty(service, task, tx.get('node', task.nodeId));
}
