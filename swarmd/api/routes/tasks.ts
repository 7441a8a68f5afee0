import {
  explainPlacement,
  isDirty,
  type ManagerApi,
  type ReadTx,
  taskName,
} from '../../../manager/index.ts';
import type { Task } from '../../../proto/gen/swarm/objects.ts';
import type { RouteGroup } from '../components.ts';
import { rejectionToApi, taskStates, taskToApi } from '../convert/task.ts';
import { runtimeOf } from '../convert/task-spec-to-api.ts';
import { requireManager } from '../guards.ts';
import { Filters } from '../http/filters.ts';
import { sendList } from '../http/json-list.ts';
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

export const taskRoutes: RouteGroup = (app, components) => {
  const { node } = components;

  app.get('/tasks', async (request, reply) => {
    const filters = new Filters(request, FILTERS);
    const manager = requireManager(node);
    const tasks = await manager.read((tx) => candidates(tx, filters));
    return sendList(reply, components, tasks, (task) =>
      matches(manager, filters, task) ? taskToApi(task) : undefined,
    );
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

/** The tasks of the services and on the nodes that are asked for. */
function candidates(tx: ReadTx, filters: Filters): Task[] {
  const services = idsOf(tx, 'service', filters);
  const nodes = idsOf(tx, 'node', filters);
  if (services) {
    const tasks = services.flatMap((serviceId) => tx.find('task', { serviceId }));
    return nodes ? tasks.filter(({ nodeId }) => nodes.includes(nodeId)) : tasks;
  }
  if (nodes) return nodes.flatMap((nodeId) => tx.find('task', { nodeId }));
  return [...tx.all('task')];
}

/** `service` and `node` name objects: ids, names or prefixes. Throws SWM_NOT_FOUND. */
function idsOf(tx: ReadTx, kind: 'service' | 'node', filters: Filters) {
  if (!filters.has(kind)) return undefined;
  return filters.values(kind).map((ref) => lookUp(tx, kind, ref).id);
}

function matches(manager: ManagerApi, filters: Filters, task: Task): boolean {
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
    (!upToDate || manager.readLocal((tx) => isUpToDate(tx, task)))
  );
}

function isUpToDate(tx: ReadTx, task: Task): boolean {
  const service = tx.get('service', task.serviceId);
  return service !== undefined && !isDirty(service, task, tx.get('node', task.nodeId));
}
