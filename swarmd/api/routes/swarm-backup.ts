import type { FastifyRequest } from 'fastify';
import type { RouteGroup } from '../components.ts';
import { alreadyInSwarm, requireManager } from '../guards.ts';
import { Query } from '../http/query.ts';
import { streamReply, TAR } from '../http/stream-reply.ts';

const UNLOCK_KEY_HEADER = 'x-swarm-unlock-key';

/** Not Docker's: a backup of a manager, and a manager out of a backup. */
export const swarmBackupRoutes: RouteGroup = (app, { node }) => {
  app.get('/swarm/backup', async (request, reply) => {
    const local = new Query(request).flag('local');
    await streamReply(reply, TAR, await requireManager(node).backup({ local }));
  });

  app.post('/swarm/recover', async (request) => {
    if (node.state().localNodeState !== 'inactive') throw alreadyInSwarm();
    const query = new Query(request);
    const id = await node.recover({
      listenAddr: query.string('listenAddr'),
      advertiseAddr: query.string('advertiseAddr'),
      dataPathAddr: query.string('dataPathAddr'),
      unlockKey: unlockKeyOf(request),
      archive: request.raw,
    });
    return JSON.stringify(id);
  });
};

/** In a header, since addresses of requests are logged. */
function unlockKeyOf({ headers }: FastifyRequest): string {
  const value = headers[UNLOCK_KEY_HEADER];
  return typeof value === 'string' ? value : '';
}
