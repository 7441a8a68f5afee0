import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiComponents, RouteGroup } from '../components.ts';
import { imageDetail, imageHistory, imageSummary } from '../convert/image.ts';
import { badRequest, notImplemented } from '../http/errors.ts';
import { Filters } from '../http/filters.ts';
import { Query } from '../http/query.ts';
import { registryAuth } from '../http/registry-auth.ts';
import { clientSignal, progressReply, streamReply, TAR } from '../http/stream-reply.ts';
import { FILTERS, selectImages } from '../image-filters.ts';
import { notFoundHandler } from '../not-found.ts';

interface ByWildcard {
  Params: { '*': string };
}

/** Image names contain slashes, so what is asked of one stands at the end of a wildcard. */
export const imageRoutes: RouteGroup = (app, components) => {
  const { images } = components.node.engine;

  app.get('/images/json', async (request) => {
    const filters = new Filters(request, FILTERS);
    const containers = components.node.engine.list();
    const chosen = selectImages(await images.list(), filters);
    return chosen.map((image) => imageSummary(image, containers));
  });

  app.post('/images/create', (request, reply) => {
    const query = new Query(request);
    if (query.string('fromSrc') !== '') return importImage(components, request, reply);
    return pull(components, request, reply);
  });

  app.post('/images/load', (request, reply) =>
    progressReply(reply, async (emit) => {
      const quiet = new Query(request).flag('quiet');
      const loaded = await images.load(request.raw, quiet ? undefined : emit);
      for (const reference of loaded) {
        const label = reference.startsWith('sha256:') ? 'Loaded image ID' : 'Loaded image';
        emit({ stream: `${label}: ${reference}\n` });
      }
    }),
  );

  app.get('/images/get', async (request, reply) => {
    const names = new Query(request).strings('names').flatMap((name) => name.split(','));
    await streamReply(reply, TAR, await save(components, names.filter(Boolean)));
  });

  app.get('/images/search', async () => {
    throw notImplemented('searching a registry is not supported');
  });

  app.post('/images/prune', async (request) => {
    const filters = new Filters(request, ['dangling', 'label', 'label!', 'until']);
    const { deleted, reclaimed } = await images.prune(filters.boolean('dangling') ?? true);
    return { ImagesDeleted: deleted, SpaceReclaimed: reclaimed };
  });

  app.get<ByWildcard>('/images/*', async (request, reply) => {
    const { name, action } = split(request.params['*']);
    if (action === 'json') return imageDetail(await images.inspect(name));
    if (action === 'history') return imageHistory(await images.inspect(name));
    if (action === 'get') return streamReply(reply, TAR, await save(components, [name]));
    return notFoundHandler(request, reply);
  });

  app.post<ByWildcard>('/images/*', async (request, reply) => {
    const { name, action } = split(request.params['*']);
    const query = new Query(request);
    if (action === 'push') throw notImplemented('pushing images is not supported by this engine');
    if (action !== 'tag') return notFoundHandler(request, reply);
    const repo = query.string('repo');
    if (repo === '') throw badRequest('repository name must have at least one component');
    await images.tag(name, repo, query.string('tag') || 'latest');
    return reply.code(201).send();
  });

  app.delete<ByWildcard>('/images/*', async (request) => {
    const query = new Query(request);
    const options = { force: query.flag('force'), noprune: query.flag('noprune') };
    return images.remove(request.params['*'], options);
  });
};

function split(path: string): { name: string; action: string } {
  const slash = path.lastIndexOf('/');
  return { name: path.slice(0, Math.max(slash, 0)), action: path.slice(slash + 1) };
}

function pull({ node }: ApiComponents, request: FastifyRequest, reply: FastifyReply) {
  const query = new Query(request);
  const image = query.string('fromImage');
  if (image === '') throw badRequest('fromImage or fromSrc must be given');
  const platform = query.string('platform');
  const auth = registryAuth(request);
  const signal = clientSignal(reply);
  return progressReply(reply, async (emit) => {
    await node.engine.images.pull(withTag(image, query.string('tag')), {
      progress: emit,
      signal,
      ...(auth ? { auth } : {}),
      ...(platform ? { platform } : {}),
    });
  });
}

function withTag(image: string, tag: string): string {
  if (tag === '') return image;
  return tag.includes(':') ? `${image}@${tag}` : `${image}:${tag}`;
}

async function importImage(
  { node }: ApiComponents,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const query = new Query(request);
  if (query.string('fromSrc') !== '-') {
    throw notImplemented('images are imported from the request body only (fromSrc=-)');
  }
  const given = Object.entries({
    repo: query.string('repo'),
    tag: query.string('tag'),
    message: query.string('message'),
  }).filter(([, value]) => value !== '');
  await progressReply(reply, async (emit) => {
    const id = await node.engine.images.import(request.raw, {
      ...Object.fromEntries(given),
      changes: query.strings('changes'),
    });
    emit({ status: id });
  });
}

/** Fails before the answer begins when one of the images is not here. */
async function save({ node }: ApiComponents, names: readonly string[]) {
  if (names.length === 0) throw badRequest('no image was named');
  for (const name of names) await node.engine.images.inspect(name);
  return node.engine.images.save(names);
}
