import type { FastifyRequest } from 'fastify';
import type { ControlApi, ManagerApi, ObjectTypes } from '../../../manager/index.ts';
import type { Config, Secret } from '../../../proto/gen/swarm/objects.ts';
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
import type { JsonReader } from '../http/json-reader.ts';
import { Query } from '../http/query.ts';
import { lookUp } from '../lookup.ts';

const FILTERS = ['id', 'label', 'name', 'names'];

interface ById {
  Params: { id: string };
}

export const secretRoutes: RouteGroup = routesOf('secret', {
  isShown: ({ internal }) => !internal,
  toApi: secretToApi,
  specFromApi: secretSpecFromApi,
  create: (control, spec) => control.createSecret(spec),
  update: (control, id, version, spec) => control.updateSecret(id, version, spec),
  remove: (control, id) => control.removeSecret(id),
});

export const configRoutes: RouteGroup = routesOf('config', {
  isShown: () => true,
  toApi: configToApi,
  specFromApi: configSpecFromApi,
  create: (control, spec) => control.createConfig(spec),
  update: (control, id, version, spec) => control.updateConfig(id, version, spec),
  remove: (control, id) => control.removeConfig(id),
});

/** What differs between secrets and configs. */
interface Parts<T, Spec> {
  isShown(object: T): boolean;
  toApi(object: T): object;
  specFromApi(json: JsonReader): Spec;
  create(control: ControlApi, spec: Spec): Promise<T>;
  update(control: ControlApi, id: string, version: number, spec: Spec): Promise<T>;
  remove(control: ControlApi, id: string): Promise<void>;
}

function routesOf<K extends 'secret' | 'config', Spec>(
  kind: K,
  parts: Parts<ObjectTypes[K], Spec>,
): RouteGroup {
  return (app, components) => {
    const { node } = components;
    const idOf = async (manager: ManagerApi, { params }: FastifyRequest<ById>) =>
      (await manager.read((tx) => lookUp(tx, kind, params.id))).id;

    app.get(`/${kind}s`, async (request, reply) => {
      const filters = new Filters(request, FILTERS);
      const all = await requireManager(node).read((tx) => [...tx.all(kind)]);
      return sendList(reply, components, all, (object) => {
        const isWanted = parts.isShown(object) && matches(filters, object);
        return isWanted ? parts.toApi(object) : undefined;
      });
    });

    app.post(`/${kind}s/create`, async (request, reply) => {
      const { control } = requireManager(node);
      const { id } = await parts.create(control, parts.specFromApi(await readJson(request)));
      return reply.code(201).send({ ID: id });
    });

    app.get<ById>(`/${kind}s/:id`, async (request) => {
      const manager = requireManager(node);
      return parts.toApi(await manager.read((tx) => lookUp(tx, kind, request.params.id)));
    });

    app.post<ById>(`/${kind}s/:id/update`, async (request, reply) => {
      const manager = requireManager(node);
      const version = new Query(request).version(kind);
      const spec = parts.specFromApi(await readJson(request));
      await parts.update(manager.control, await idOf(manager, request), version, spec);
      return reply.send();
    });

    app.delete<ById>(`/${kind}s/:id`, async (request, reply) => {
      const manager = requireManager(node);
      await parts.remove(manager.control, await idOf(manager, request));
      return reply.code(204).send();
    });
  };
}

function matches(filters: Filters, { id, spec }: Secret | Config): boolean {
  const { name = '', labels = {} } = spec?.annotations ?? {};
  return (
    filters.prefix('id', id) &&
    filters.prefix('name', name) &&
    filters.is('names', name) &&
    filters.labels('label', labels)
  );
}
