import type { FastifyRequest } from 'fastify';
import type { EndpointSettings } from '../../../worker/index.ts';
import type { RouteGroup } from '../components.ts';
import { networkViewToApi } from '../convert/local-network.ts';
import { Filters } from '../http/filters.ts';
import { readJson } from '../http/json-body.ts';
import { Query } from '../http/query.ts';
import { createNetwork } from '../networks/create.ts';
import { findNetwork, type ListedNetwork, listNetworks } from '../networks/directory.ts';
import { pruneNetworks } from '../networks/prune.ts';
import { removeNetwork } from '../networks/remove.ts';
import { networkStatus } from '../networks/usage.ts';
import type { SwarmNodeApi } from '../node-api.ts';

const FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];
const PRUNE_FILTERS = ['label', 'label!', 'until'];

interface ById {
  Params: { id: string };
}

export const networkRoutes: RouteGroup = (app, components) => {
  const { node } = components;

  app.get('/networks', async (request) => {
    const filters = new Filters(request, FILTERS);
    const networks = await listNetworks(node);
    return networks.filter((network) => matches(filters, network)).map(({ json }) => json);
  });

  app.get<ById>('/networks/:id', async (request) => inspect(node, request));

  app.post('/networks/create', async (request, reply) => {
    const { id, warning } = await createNetwork(components, await readJson(request));
    return reply.code(201).send({ Id: id, Warning: warning });
  });

  app.post<ById>('/networks/:id/connect', async (request, reply) => {
    const body = await readJson(request);
    const settings = (body.object('EndpointConfig')?.raw ?? {}) as EndpointSettings;
    const network = await localIdOr(node, request.params.id);
    await node.engine.connectNetwork(network, body.string('Container'), settings);
    return reply.send();
  });

  app.post<ById>('/networks/:id/disconnect', async (request, reply) => {
    const body = await readJson(request);
    const network = await localIdOr(node, request.params.id);
    await node.engine.disconnectNetwork(network, body.string('Container'), body.boolean('Force'));
    return reply.send();
  });

  app.post('/networks/prune', async (request) => {
    const filters = new Filters(request, PRUNE_FILTERS);
    return { NetworksDeleted: await pruneNetworks(components, filters) };
  });

  app.delete<ById>('/networks/:id', async (request, reply) => {
    await removeNetwork(components, findNetwork(await listNetworks(node), request.params.id));
    return reply.code(204).send();
  });
};

async function inspect(node: SwarmNodeApi, request: FastifyRequest<ById>) {
  const query = new Query(request);
  const scope = query.string('scope');
  const inScope = (await listNetworks(node)).filter(
    (network) => scope === '' || network.scope === scope,
  );
  const network = findNetwork(inScope, request.params.id);
  const verbose = query.flag('verbose');
  const view = node.netdriver.inspect(network.id);
  const status = node.manager?.readLocal((tx) => networkStatus(tx, network.id, verbose));
  return {
    ...network.json,
    ...(view ? networkViewToApi(view, verbose) : {}),
    ...(status ? { Status: status } : {}),
  };
}

/**
 * The id, where this node can tell it. A worker may be asked for a network of the swarm that it has
 * never seen, and leaves the name to the managers.
 */
async function localIdOr(node: SwarmNodeApi, ref: string): Promise<string> {
  const networks = await listNetworks(node);
  const isKnown = networks.some(
    ({ id, name }) => id === ref || name === ref || (ref.length > 3 && id.startsWith(ref)),
  );
  return isKnown || node.manager ? findNetwork(networks, ref).id : ref;
}

function matches(filters: Filters, network: ListedNetwork): boolean {
  const isCustom = !network.predefined && !network.ingress;
  const isDangling = isCustom && !network.inUse;
  return (
    filters.pattern('id', [network.id]) &&
    filters.pattern('name', [network.name]) &&
    filters.is('driver', network.driver) &&
    filters.is('scope', network.scope) &&
    filters.is('type', isCustom ? 'custom' : 'builtin') &&
    filters.labels('label', network.labels) &&
    (filters.boolean('dangling') ?? isDangling) === isDangling
  );
}
