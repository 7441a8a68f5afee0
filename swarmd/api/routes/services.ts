import type { FastifyRequest } from 'fastify';
import type { Random } from '../../../common/random.ts';
import type { ManagerApi, ReadTx } from '../../../manager/index.ts';
import type { Service } from '../../../proto/gen/swarm/objects.ts';
import type { PullOptions, ServiceSpec } from '../../../proto/gen/swarm/specs.ts';
import type { RouteGroup } from '../components.ts';
import { serviceToApi } from '../convert/service.ts';
import { modeOf, serviceSpecFromApi } from '../convert/service-spec.ts';
import { runtimeOf } from '../convert/task-spec-to-api.ts';
import { generatedName } from '../generated-name.ts';
import { requireManager } from '../guards.ts';
import { badRequest } from '../http/errors.ts';
import { Filters } from '../http/filters.ts';
import { readJson } from '../http/json-body.ts';
import { sendList } from '../http/json-list.ts';
import { Query } from '../http/query.ts';
import { registryAuthHeader } from '../http/registry-auth.ts';
import { lookUp } from '../lookup.ts';
import type { SwarmNodeApi } from '../node-api.ts';
import { countTasks } from '../service-counts.ts';
import { resolveNetworks } from '../service-networks.ts';

const FILTERS = ['id', 'label', 'mode', 'name', 'runtime'];

interface ById {
  Params: { id: string };
}

export const serviceRoutes: RouteGroup = (app, components) => {
  const { node, random } = components;

  app.get('/services', async (request, reply) => {
    const filters = new Filters(request, FILTERS);
    const query = new Query(request);
    const insertDefaults = query.flag('insertDefaults');
    const withStatus = query.flag('status');
    const manager = requireManager(node);
    const services = await manager.read((tx) => [...tx.all('service')]);
    return sendList(reply, components, services, (service) => {
      if (!matches(filters, service)) return undefined;
      const count = (tx: ReadTx) => countTasks(tx, service);
      const counts = withStatus ? manager.readLocal(count) : undefined;
      return serviceToApi(service, { insertDefaults, counts });
    });
  });

  app.get<ById>('/services/:id', async (request) => {
    const manager = requireManager(node);
    const insertDefaults = new Query(request).flag('insertDefaults');
    const service = await manager.read((tx) => lookUp(tx, 'service', request.params.id));
    return serviceToApi(service, { insertDefaults });
  });

  app.post('/services/create', async (request, reply) => {
    const manager = requireManager(node);
    const { id } = await create(node, manager, random, request);
    return reply.code(201).send({ ID: id, Warnings: null });
  });

  app.post<ById>('/services/:id/update', async (request) => {
    await update(node, requireManager(node), request);
    return { Warnings: null };
  });

  app.delete<ById>('/services/:id', async (request, reply) => {
    const manager = requireManager(node);
    const { id } = await manager.read((tx) => lookUp(tx, 'service', request.params.id));
    await manager.control.removeService(id);
    return reply.send();
  });
};

async function create(
  node: SwarmNodeApi,
  manager: ManagerApi,
  random: Random,
  request: FastifyRequest,
): Promise<Service> {
  const spec = await resolve(node, manager, serviceSpecFromApi(await readJson(request)));
  const { annotations } = spec;
  const named = annotations?.name
    ? spec
    : { ...spec, annotations: { ...annotations!, name: generatedName(random) } };
  const registryAuth = registryAuthHeader(request);
  return manager.control.createService(
    registryAuth ? withPullOptions(named, { registryAuth }) : named,
  );
}

async function update(
  node: SwarmNodeApi,
  manager: ManagerApi,
  request: FastifyRequest<ById>,
): Promise<void> {
  const query = new Query(request);
  const version = query.version('service');
  const rollback = rollbackOf(query.string('rollback'));
  const sent = serviceSpecFromApi(await readJson(request));
  const current = await manager.read((tx) => lookUp(tx, 'service', request.params.id));
  if (rollback && !current.previousSpec) {
    throw badRequest(`service ${request.params.id} does not have a previous spec`);
  }
  const spec = await resolve(node, manager, sent);
  const registryAuth = registryAuthHeader(request);
  const pullOptions = registryAuth
    ? { registryAuth }
    : pullOptionsOf(current, query.string('registryAuthFrom'));
  const complete = withPullOptions(spec, pullOptions);
  await manager.control.updateService(current.id, version, complete, rollback);
}

function rollbackOf(option: string): boolean {
  if (option === 'previous') return true;
  if (option === '' || option === 'none') return false;
  throw badRequest(`unrecognized rollback option ${option}`);
}

/** Credentials are never shown, so an update without any keeps those of the spec it says. */
function pullOptionsOf(service: Service, from: string): PullOptions | undefined {
  if (from !== '' && from !== 'spec' && from !== 'previous-spec') {
    throw badRequest(`unsupported registryAuthFrom value: "${from}"`);
  }
  const spec = from === 'previous-spec' ? service.previousSpec : service.spec;
  if (!spec) throw badRequest('service does not have a previous spec');
  const runtime = spec.task?.runtime;
  return runtime?.$case === 'container' ? runtime.container.pullOptions : undefined;
}

function withPullOptions(spec: ServiceSpec, pullOptions: PullOptions | undefined): ServiceSpec {
  const { task } = spec;
  if (task?.runtime?.$case !== 'container') return spec;
  const container = { ...task.runtime.container, pullOptions };
  return { ...spec, task: { ...task, runtime: { $case: 'container', container } } };
}

async function resolve(node: SwarmNodeApi, manager: ManagerApi, spec: ServiceSpec) {
  const attachments = [...(spec.task?.networks ?? []), ...spec.networks];
  if (attachments.length === 0) return spec;
  const local = node.netdriver.localNetworks();
  return manager.read((tx: ReadTx) => resolveNetworks(tx, local, spec));
}

function matches(filters: Filters, { id, spec }: Service): boolean {
  return (
    filters.prefix('id', id) &&
    filters.prefix('name', spec?.annotations?.name ?? '') &&
    filters.is('mode', modeOf(spec)) &&
    filters.is('runtime', runtimeOf(spec?.task)) &&
    filters.labels('label', spec?.annotations?.labels ?? {})
  );
}
