import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { errorMessage } from '../../common/errors.ts';
import type { EventLoopWatch } from './event-loop-watch.ts';
import type { Metrics } from './metrics.ts';

/** GET /metrics beside the API; and the watch hears what the API is asked for. */
export function metricsRoute(metrics: Metrics, watch: EventLoopWatch) {
  return (app: FastifyInstance): void => {
    app.addHook('onRequest', async ({ method, routeOptions }) => {
      watch.note(`${method} ${routeOptions.url ?? 'nothing'}`);
    });
    app.get('/metrics', async (_request, reply) => {
      return reply.header('content-type', metrics.contentType).send(await metrics.scrape());
    });
  };
}

/** Serves GET /metrics and nothing else, for a port that may be open to many. */
export function metricsHandler(metrics: Metrics) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response
        .writeHead(404, { 'content-type': 'text/plain' })
        .end('there is only /metrics here\n');
      return;
    }
    metrics.scrape().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      (error) => response.writeHead(500).end(`${errorMessage(error)}\n`),
    );
  };
}
