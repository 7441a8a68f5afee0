import type { RouteGroup } from '../components.ts';
import { registryAuth } from '../http/registry-auth.ts';
import { notFoundHandler } from '../not-found.ts';

/** What a registry has under a name: how clients pin a service's image to its digest. */
export const distributionRoutes: RouteGroup = (app, { node }) => {
  app.get<{ Params: { '*': string } }>('/distribution/*', async (request, reply) => {
    const path = request.params['*'];
    if (!path.endsWith('/json')) return notFoundHandler(request, reply);
    const name = path.slice(0, -'/json'.length);
    const found = await node.engine.images.distribution(name, registryAuth(request));
    const { mediaType, digest, size, platforms } = found;
    return {
      Descriptor: { mediaType, digest, size },
      Platforms: platforms.length > 0 ? platforms : null,
    };
  });
};
