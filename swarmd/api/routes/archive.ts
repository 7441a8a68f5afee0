import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteGroup } from '../components.ts';
import { badRequest } from '../http/errors.ts';
import { Query } from '../http/query.ts';
import { streamReply, TAR } from '../http/stream-reply.ts';
import type { SwarmNodeApi } from '../node-api.ts';
import type { ByName } from './containers.ts';

/** Files in and out of a container as tar: `docker cp`. */
export const archiveRoutes: RouteGroup = (app, { node }) => {
  const url = '/containers/:name/archive';

  app.head<ByName>(url, async (request, reply) => {
    await addStat(node, request, reply);
    return reply.send();
  });

  app.get<ByName>(url, async (request, reply) => {
    await addStat(node, request, reply);
    const tar = await node.engine.archiveGet(request.params.name, pathOf(request));
    await streamReply(reply, TAR, tar);
  });

  app.put<ByName>(url, async (request, reply) => {
    await node.engine.archivePut(request.params.name, pathOf(request), request.raw, {
      noOverwriteDirNonDir: new Query(request).flag('noOverwriteDirNonDir'),
    });
    return reply.send();
  });
};

async function addStat(
  node: SwarmNodeApi,
  request: FastifyRequest<ByName>,
  reply: FastifyReply,
): Promise<void> {
  const stat = await node.engine.archiveStat(request.params.name, pathOf(request));
  const encoded = Buffer.from(JSON.stringify(stat)).toString('base64');
  reply.header('x-docker-container-path-stat', encoded);
}

function pathOf(request: FastifyRequest): string {
  const path = new Query(request).string('path');
  if (path === '') throw badRequest('path cannot be empty');
  return path;
}
