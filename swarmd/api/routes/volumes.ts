import type { Container, EngineApi, VolumeInfo } from '../../../worker/index.ts';
import type { RouteGroup } from '../components.ts';
import { Filters } from '../http/filters.ts';
import { readOptionalJson } from '../http/json-body.ts';
import { Query } from '../http/query.ts';
import { rfc3339 } from '../http/time.ts';

const FILTERS = ['dangling', 'driver', 'label', 'name'];

interface ByName {
  Params: { name: string };
}

/** Volumes of this node. */
export const volumeRoutes: RouteGroup = (app, { node }) => {
  const { engine } = node;

  app.get('/volumes', async (request) => {
    const filters = new Filters(request, FILTERS);
    const used = usedVolumes(engine);
    const volumes = engine.volumes.list().filter((volume) => matches(filters, volume, used));
    return { Volumes: volumes.map(volumeToApi), Warnings: null };
  });

  app.get<ByName>('/volumes/:name', async ({ params }) =>
    volumeToApi(engine.volumes.inspect(params.name)),
  );

  app.post('/volumes/create', async (request, reply) => {
    const body = await readOptionalJson(request);
    const name = body?.string('Name') ?? '';
    const driver = body?.string('Driver') ?? '';
    const volume = await engine.volumes.create({
      ...(name ? { name } : {}),
      ...(driver ? { driver } : {}),
      labels: body?.stringMap('Labels') ?? {},
      options: body?.stringMap('DriverOpts') ?? {},
    });
    return reply.code(201).send(volumeToApi(volume));
  });

  app.post('/volumes/prune', async (request) => {
    const filters = new Filters(request, ['all', 'label', 'label!']);
    const { deleted, reclaimed } = await engine.volumes.prune(filters.boolean('all') ?? false);
    return { VolumesDeleted: deleted, SpaceReclaimed: reclaimed };
  });

  app.delete<ByName>('/volumes/:name', async (request, reply) => {
    await engine.volumes.remove(request.params.name, new Query(request).flag('force'));
    return reply.code(204).send();
  });
};

export function volumeToApi(volume: VolumeInfo) {
  return {
    CreatedAt: rfc3339(volume.createdAt),
    Driver: volume.driver,
    Labels: Object.keys(volume.labels).length > 0 ? volume.labels : null,
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: Object.keys(volume.options).length > 0 ? volume.options : null,
    Scope: 'local',
  };
}

/** Names of the volumes that some container mounts. */
export function usedVolumes(engine: EngineApi): ReadonlySet<string> {
  return new Set(engine.list().flatMap(volumesOf));
}

function volumesOf({ hostConfig }: Container): string[] {
  const mounts = (hostConfig.Mounts ?? []).filter(({ Type }) => Type === 'volume');
  const binds = (hostConfig.Binds ?? []).map((bind) => bind.split(':')[0] ?? '');
  return [...mounts.map(({ Source }) => Source ?? ''), ...binds];
}

function matches(filters: Filters, volume: VolumeInfo, used: ReadonlySet<string>): boolean {
  const dangling = !used.has(volume.name);
  return (
    filters.pattern('name', [volume.name]) &&
    filters.is('driver', volume.driver) &&
    filters.labels('label', volume.labels) &&
    (filters.boolean('dangling') ?? dangling) === dangling
  );
}
