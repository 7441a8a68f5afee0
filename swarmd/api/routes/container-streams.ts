import type { FastifyReply, FastifyRequest } from 'fastify';
import { sleep } from '../../../common/clock.ts';
import { errorMessage } from '../../../common/errors.ts';
import type { AttachOptions, LogLine, LogOptions } from '../../../worker/index.ts';
import type { ApiComponents, RouteGroup } from '../components.ts';
import { badRequest } from '../http/errors.ts';
import { type LogQuery, logLine, readLogQuery, STDERR, STDOUT } from '../http/log-format.ts';
import { frame } from '../http/multiplex.ts';
import { Query } from '../http/query.ts';
import {
  clientSignal,
  logReply,
  MULTIPLEXED_STREAM,
  openStream,
  RAW_STREAM,
  streamReply,
} from '../http/stream-reply.ts';
import { hijack, splice } from '../http/upgrade.ts';
import { withPrevious } from '../stats.ts';
import type { ByName } from './containers.ts';

const WAIT_CONDITIONS = ['not-running', 'next-exit', 'removed'] as const;
const STATS_INTERVAL_MS = 1_000;

/** Containers of this node: answers that take as long as the container or the client wants. */
export const containerStreamRoutes: RouteGroup = (app, components) => {
  const { engine } = components.node;

  app.post<ByName>('/containers/:name/attach', async (request, reply) => {
    const { config } = engine.get(request.params.name);
    const stream = await engine.attach(request.params.name, attachOptions(request));
    await splice(hijack(request, reply, config.Tty ? RAW_STREAM : MULTIPLEXED_STREAM), stream);
  });

  app.get<ByName>('/containers/:name/logs', async (request, reply) => {
    const { config, id } = engine.get(request.params.name);
    const query = readLogQuery(request, components.clock.now());
    const lines = engine.logs(id, logOptions(query, clientSignal(reply)));
    const tty = config.Tty ?? false;
    await logReply(reply, tty, render(lines, query, tty));
  });

  app.post<ByName>('/containers/:name/wait', (request, reply) => wait(components, request, reply));

  app.get<ByName>('/containers/:name/stats', (request, reply) => stats(components, request, reply));
};

function attachOptions(request: FastifyRequest): AttachOptions {
  const query = new Query(request);
  const detachKeys = query.string('detachKeys');
  return {
    stdin: query.flag('stdin'),
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    logs: query.flag('logs'),
    stream: query.flag('stream'),
    ...(detachKeys ? { detachKeys } : {}),
  };
}

function logOptions(query: LogQuery, signal: AbortSignal): LogOptions {
  const { stdout, stderr, follow, tail, since, until } = query;
  return {
    stdout,
    stderr,
    follow,
    signal,
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

async function* render(lines: AsyncIterable<LogLine>, query: LogQuery, tty: boolean) {
  for await (const { stream, time, data } of lines) {
    const text = logLine(query, { time, details: {}, data });
    yield tty ? text : frame(stream === 'stderr' ? STDERR : STDOUT, text);
  }
}

/**
 * The client starts the container only after it has seen the headers, so they are sent as soon as
 * the wait has begun, and the body when it ends.
 */
async function wait(
  { node, logger }: ApiComponents,
  request: FastifyRequest<ByName>,
  reply: FastifyReply,
): Promise<void> {
  const condition = new Query(request).string('condition') || 'not-running';
  const known = WAIT_CONDITIONS.find((name) => name === condition);
  if (!known) throw badRequest(`invalid condition: "${condition}"`);
  const { id } = node.engine.get(request.params.name);
  const signal = clientSignal(reply);
  const ended = node.engine.wait(id, known, signal).then(
    ({ exitCode, error }) => ({
      StatusCode: exitCode,
      ...(error ? { Error: { Message: error } } : {}),
    }),
    (failure) => ({ StatusCode: -1, Error: { Message: errorMessage(failure) } }),
  );
  openStream(reply, 'application/json');
  const answer = await ended;
  if (signal.aborted) logger.debug(`nobody waits for container ${id} any more`);
  else reply.raw.end(`${JSON.stringify(answer)}\n`);
}

async function stats(
  { node, clock }: ApiComponents,
  request: FastifyRequest<ByName>,
  reply: FastifyReply,
): Promise<unknown> {
  const query = new Query(request);
  const { id } = node.engine.get(request.params.name);
  const first = await node.engine.stats(id);
  const streams = !query.has('stream') || query.flag('stream');
  if (!streams && query.flag('one-shot')) return reply.send(withPrevious(first, {}));
  const signal = clientSignal(reply);
  if (!streams) {
    // Rates need two samples.
    await sleep(clock, STATS_INTERVAL_MS, signal);
    return reply.send(withPrevious(await node.engine.stats(id), first));
  }
  async function* samples() {
    yield `${JSON.stringify(withPrevious(first, {}))}\n`;
    for (let previous = first; !signal.aborted; ) {
      await sleep(clock, STATS_INTERVAL_MS, signal);
      const sample = await node.engine.stats(id);
      yield `${JSON.stringify(withPrevious(sample, previous))}\n`;
      previous = sample;
    }
  }
  return streamReply(reply, 'application/json', samples());
}
