import type { RouteGroup } from '../components.ts';
import { CONTAINER_FILTERS, selectContainers } from '../container-filters.ts';
import { containerCreateFromApi, hostConfigFromApi } from '../convert/container-create.ts';
import { containerSummary } from '../convert/container-summary.ts';
import { Filters } from '../http/filters.ts';
import { readJson } from '../http/json-body.ts';
import { Query } from '../http/query.ts';
import { streamReply, TAR } from '../http/stream-reply.ts';
import { keepsLabels, untilOf } from '../networks/prune.ts';

export interface ByName {
  Params: { name: string };
}

/** Containers of this node: lists, and everything that has an ordinary answer. */
export const containerRoutes: RouteGroup = (app, { node, clock }) => {
  const { engine } = node;

  app.get('/containers/json', async (request) => {
    const query = new Query(request);
    const containers = selectContainers(engine.list(), {
      all: query.flag('all'),
      limit: Math.max(query.integer('limit') ?? 0, 0),
      filters: new Filters(request, CONTAINER_FILTERS),
      get: (ref) => engine.get(ref),
    });
    const sizes = query.flag('size') ? { SizeRw: 0, SizeRootFs: 0 } : {};
    const now = clock.now();
    return containers.map((container) => ({ ...containerSummary(container, now), ...sizes }));
  });

  app.post('/containers/create', async (request, reply) => {
    const query = new Query(request);
    const body = containerCreateFromApi(await readJson(request));
    const name = query.string('name').replace(/^\//, '');
    const platform = query.string('platform');
    const { id, warnings } = await engine.create(body, {
      ...(name ? { name } : {}),
      ...(platform ? { platform } : {}),
    });
    return reply.code(201).send({ Id: id, Warnings: warnings });
  });

  app.post('/containers/prune', async (request) => {
    const filters = new Filters(request, ['label', 'label!', 'until']);
    const until = untilOf(filters, clock.now());
    const idle = engine.list().filter(
      ({ state, createdAt, config, taskId }) =>
        // The agent removes the containers of tasks itself, when their history is over.
        taskId === '' &&
        ['created', 'exited', 'dead'].includes(state.status) &&
        (until === undefined || createdAt <= until) &&
        keepsLabels(filters, config.Labels ?? {}),
    );
    for (const { id } of idle) await engine.remove(id, { force: false, volumes: false });
    return { ContainersDeleted: idle.map(({ id }) => id), SpaceReclaimed: 0 };
  });

  app.get<ByName>('/containers/:name/json', async ({ params }) => engine.inspect(params.name));

  app.get<ByName>('/containers/:name/top', async ({ params }) => engine.top(params.name));

  app.post<ByName>('/containers/:name/start', async ({ params }, reply) => {
    const started = await engine.startContainer(params.name);
    return reply.code(started ? 204 : 304).send();
  });

  app.post<ByName>('/containers/:name/stop', async (request, reply) => {
    const stopped = await engine.stopContainer(request.params.name, stopOptions(request));
    return reply.code(stopped ? 204 : 304).send();
  });

  app.post<ByName>('/containers/:name/restart', async (request, reply) => {
    await engine.restart(request.params.name, stopOptions(request));
    return reply.code(204).send();
  });

  app.post<ByName>('/containers/:name/kill', async (request, reply) => {
    await engine.kill(request.params.name, new Query(request).string('signal') || undefined);
    return reply.code(204).send();
  });

  app.post<ByName>('/containers/:name/pause', async ({ params }, reply) => {
    await engine.pause(params.name);
    return reply.code(204).send();
  });

  app.post<ByName>('/containers/:name/unpause', async ({ params }, reply) => {
    await engine.unpause(params.name);
    return reply.code(204).send();
  });

  app.post<ByName>('/containers/:name/rename', async (request, reply) => {
    const name = new Query(request).string('name').replace(/^\//, '');
    await engine.rename(request.params.name, name);
    return reply.code(204).send();
  });

  app.post<ByName>('/containers/:name/resize', async (request, reply) => {
    const { height, width } = sizeOf(request);
    await engine.resize(request.params.name, height, width);
    return reply.send();
  });

  app.delete<ByName>('/containers/:name', async (request, reply) => {
    const query = new Query(request);
    const options = { force: query.flag('force'), volumes: query.flag('v') };
    await engine.remove(request.params.name, options);
    return reply.code(204).send();
  });

  app.post<ByName>('/containers/:name/update', async (request) => {
    const change = hostConfigFromApi(await readJson(request));
    const { warnings } = await engine.update(request.params.name, change);
    return { Warnings: warnings };
  });

  app.get<ByName>('/containers/:name/changes', async ({ params }) => engine.changes(params.name));

  app.get<ByName>('/containers/:name/export', async ({ params }, reply) => {
    const { id } = engine.get(params.name);
    await streamReply(reply, TAR, engine.export(id));
  });
};

function stopOptions(request: ConstructorParameters<typeof Query>[0]) {
  const query = new Query(request);
  const timeout = query.integer('t');
  const signal = query.string('signal');
  return { ...(timeout === undefined ? {} : { timeout }), ...(signal ? { signal } : {}) };
}

export function sizeOf(request: ConstructorParameters<typeof Query>[0]) {
  const query = new Query(request);
  return { height: query.integer('h') ?? 0, width: query.integer('w') ?? 0 };
}
