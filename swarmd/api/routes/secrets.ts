import type { Annotations } from '../../../proto/gen/swarm/types.ts';
import type { RouteGroup } from '../components.ts';
import {
  configSpecFromApi,
  configToApi,
  secretSpecFromApi,
  secretToApi,
} from '../convert/secret.ts';
import { requireManager } from '../guards.ts';
import { Filters } from '../http/filters.ts';
import { readJson } from '../http/json-body.ts';
import { sendList } from '../http/json-list.ts';
import { Query } from '../http/query.ts';
import { lookUp } from '../lookup.ts';

const FILTERS = ['id', 'label', 'name', 'names'];

interface ById {
  Params: { id: string };
}

export const secretRoutes: RouteGroup = (app, components) => {
  const { node } = components;

  app.get('/secrets', async (request, reply) => {
    const filters = new Filters(request, FILTERS);
    const all = await requireManager(node).read((tx) => [...tx.all('secret')]);
    return sendList(reply, components, all, (secret) => {
      const { id, spec, internal } = secret;
      return !internal && matches(filters, id, spec?.annotations) ? secretToApi(secret) : undefined;
    });
  });

  app.post('/secrets/create', async (request, reply) => {
    const manager = requireManager(node);
    const secret = await manager.control.createSecret(secretSpecFromApi(await readJson(request)));
    return reply.code(201).send({ ID: secret.id });
  });

  app.get<ById>('/secrets/:id', async (request) => {
    const manager = requireManager(node);
    return secretToApi(await manager.read((tx) => lookUp(tx, 'secret', request.params.id)));
  });

  app.post<ById>('/secrets/:id/update', async (request, reply) => {
    const manager = requireManager(node);
    const version = new Query(request).version('secret');
    const spec = secretSpecFromApi(await readJson(request));
    const { id } = await manager.read((tx) => lookUp(tx, 'secret', request.params.id));
    await manager.control.updateSecret(id, version, spec);
    return reply.send();
  });

  app.delete<ById>('/secrets/:id', async (request, reply) => {
    const manager = requireManager(node);
    const { id } = await manager.read((tx) => lookUp(tx, 'secret', request.params.id));
    await manager.control.removeSecret(id);
    return reply.code(204).send();
  });
};

export const configRoutes: RouteGroup = (app, components) => {
  const { node } = components;

  app.get('/configs', async (request, reply) => {
    const filters = new Filters(request, FILTERS);
    const all = await requireManager(node).read((tx) => [...tx.all('config')]);
    return sendList(reply, components, all, (config) =>
      matches(filters, config.id, config.spec?.annotations) ? configToApi(config) : undefined,
    );
  });

  app.post('/configs/create', async (request, reply) => {
    const manager = requireManager(node);
    const config = await manager.control.createConfig(configSpecFromApi(await readJson(request)));
    return reply.code(201).send({ ID: config.id });
  });

  app.get<ById>('/configs/:id', async (request) => {
    const manager = requireManager(node);
    return configToApi(await manager.read((tx) => lookUp(tx, 'config', request.params.id)));
  });

  app.post<ById>('/configs/:id/update', async (request, reply) => {
    const manager = requireManager(node);
    const version = new Query(request).version('config');
    const spec = configSpecFromApi(await readJson(request));
    const { id } = await manager.read((tx) => lookUp(tx, 'config', request.params.id));
    await manager.control.updateConfig(id, version, spec);
    return reply.send();
  });

  app.delete<ById>('/configs/:id', async (request, reply) => {
    const manager = requireManager(node);
    const { id } = await manager.read((tx) => lookUp(tx, 'config', request.params.id));
    await manager.control.removeConfig(id);
    return reply.code(204).send();
  });
};

function matches(filters: Filters, id: string, annotations: Annotations | undefined): boolean {
  return (
    filters.prefix('id', id) &&
    filters.prefix('name', annotations?.name ?? '') &&
    filters.is('names', annotations?.name ?? '') &&
    filters.labels('label', annotations?.labels ?? {})
  );
}
