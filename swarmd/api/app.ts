import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { isSwarmError } from '../../common/errors.ts';
import type { ApiComponents, RouteGroup } from './components.ts';
import { badRequest, httpErrorOf } from './http/errors.ts';
import { notFoundHandler } from './not-found.ts';
import { archiveRoutes } from './routes/archive.ts';
import { containerStreamRoutes } from './routes/container-streams.ts';
import { containerRoutes } from './routes/containers.ts';
import { distributionRoutes } from './routes/distribution.ts';
import { eventRoutes } from './routes/events.ts';
import { execRoutes } from './routes/exec.ts';
import { imageRoutes } from './routes/images.ts';
import { networkRoutes } from './routes/networks.ts';
import { nodeRoutes } from './routes/nodes.ts';
import { configRoutes, secretRoutes } from './routes/secrets.ts';
import { serviceLogRoutes } from './routes/service-logs.ts';
import { serviceRoutes } from './routes/services.ts';
import { swarmRoutes } from './routes/swarm.ts';
import { swarmBackupRoutes } from './routes/swarm-backup.ts';
import { systemRoutes } from './routes/system.ts';
import { taskRoutes } from './routes/tasks.ts';
import { volumeRoutes } from './routes/volumes.ts';
import { API_VERSION, ENGINE_VERSION, MIN_API_VERSION } from './versions.ts';

const GROUPS: readonly RouteGroup[] = [
  systemRoutes,
  eventRoutes,
  swarmRoutes,
  swarmBackupRoutes,
  nodeRoutes,
  serviceRoutes,
  serviceLogRoutes,
  taskRoutes,
  secretRoutes,
  configRoutes,
  networkRoutes,
  containerRoutes,
  containerStreamRoutes,
  execRoutes,
  archiveRoutes,
  imageRoutes,
  distributionRoutes,
  volumeRoutes,
];

/** Instead of the compilers of JSON schemas that fastify loads by default, which takes 20 ms of a start. */
const NO_SCHEMAS = { buildValidator: refuseSchema, buildSerializer: refuseSchema };

const JSON_TYPE = 'application/json';
const VERSION_PREFIX = /^\/v(\d+)\.(\d+)(?=\/|\?|$)/;

/**
 * The Docker Engine API as a fastify instance; whoever calls it brings the sockets. `extend` adds
 * routes and hooks of the caller's, which see the same version prefixes, headers and errors.
 */
export function createApp(
  components: ApiComponents,
  extend: (app: FastifyInstance) => void = () => {},
): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = components.logger.child({ module: 'api' });
  const app: FastifyInstance = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    rewriteUrl: ({ url = '/' }) => url.replace(VERSION_PREFIX, '') || '/',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1_024 },
    schemaController: { compilersFactory: NO_SCHEMAS },
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'api-version': API_VERSION,
      'docker-experimental': 'false',
      ostype: 'linux',
      server: `Docker/${ENGINE_VERSION} (linux)`,
      'content-type': JSON_TYPE,
    });
    checkVersion(request);
  });
  app.addHook('onSend', async (_request, reply, payload) => {
    if (payload === undefined || payload === null) reply.removeHeader('content-type');
    // Fastify adds a charset, and the CLI does not parse an error whose type has one.
    else if (String(reply.getHeader('content-type')).startsWith(JSON_TYPE)) {
      reply.header('content-type', JSON_TYPE);
    }
    return payload;
  });
  app.addHook('onResponse', async (request, { statusCode, elapsedTime }) => {
    const { method, url } = request;
    request.log.debug({ method, url, statusCode, ms: Math.round(elapsedTime) }, 'answered');
  });
  // Bodies are read by the handlers: as JSON, as a tar, or not at all.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.setNotFoundHandler(notFoundHandler);
  app.setErrorHandler((error, request, reply) => {
    const { status, message } = httpErrorOf(error);
    if (status >= 500) {
      request.log.warn({ err: loggedError(error) }, `${request.method} ${request.url} failed`);
    }
    return reply.code(status).header('content-type', JSON_TYPE).send({ message });
  });
  for (const group of GROUPS) group(app, components);
  extend(app);
  return app;
}

function refuseSchema(): never {
  throw new Error('routes of this API have no schemas');
}

/** Errors of the catalogue explain themselves; only of a fault of ours the stack is worth its lines. */
function loggedError(error: unknown): unknown {
  const isForeseen = isSwarmError(error) && error.code !== 'SWM_INTERNAL';
  return isForeseen ? error.message : error;
}

function checkVersion({ originalUrl }: FastifyRequest): void {
  const [, major, minor] = VERSION_PREFIX.exec(originalUrl) ?? [];
  if (!major || !minor) return;
  const asked = `${major}.${minor}`;
  if (compare(asked, MIN_API_VERSION) < 0) {
    throw badRequest(
      `client version ${asked} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  }
  if (compare(asked, API_VERSION) > 0) {
    throw badRequest(
      `client version ${asked} is too new. Maximum supported API version is ${API_VERSION}`,
    );
  }
}

function compare(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}
