import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../../common/clock.ts';
import type { ManagerApi } from '../../../manager/index.ts';
import {
  type LogMessage,
  type LogSelector,
  LogStream,
  type LogSubscriptionOptions,
} from '../../../proto/gen/swarm/logs.ts';
import type { TaskSpec } from '../../../proto/gen/swarm/specs.ts';
import type { RouteGroup } from '../components.ts';
import { requireManager } from '../guards.ts';
import { type LogQuery, logLine, readLogQuery, STDERR, STDOUT } from '../http/log-format.ts';
import { frame } from '../http/multiplex.ts';
import { clientSignal, logReply } from '../http/stream-reply.ts';
import { lookUp } from '../lookup.ts';

interface ById {
  Params: { id: string };
}

/** Logs of services and tasks, wherever in the swarm they run. */
export const serviceLogRoutes: RouteGroup = (app, { node, clock }) => {
  app.get<ById>('/services/:id/logs', async (request, reply) => {
    const manager = requireManager(node);
    const service = await manager.read((tx) => lookUp(tx, 'service', request.params.id));
    const selector = { serviceIds: [service.id], nodeIds: [], taskIds: [] };
    await sendLogs({ manager, clock, request, reply }, selector, service.spec?.task);
  });

  app.get<ById>('/tasks/:id/logs', async (request, reply) => {
    const manager = requireManager(node);
    const task = await manager.read((tx) => lookUp(tx, 'task', request.params.id));
    const selector = { serviceIds: [], nodeIds: [], taskIds: [task.id] };
    await sendLogs({ manager, clock, request, reply }, selector, task.spec);
  });
};

interface LogsContext {
  manager: ManagerApi;
  clock: Clock;
  request: FastifyRequest;
  reply: FastifyReply;
}

async function sendLogs(
  { manager, clock, request, reply }: LogsContext,
  selector: LogSelector,
  spec: TaskSpec | undefined,
): Promise<void> {
  const query = readLogQuery(request, clock.now());
  const options = optionsOf(query);
  const { runtime } = spec ?? {};
  const tty = runtime?.$case === 'container' && runtime.container.tty;
  const messages = manager.subscribeLogs({ selector, options }, clientSignal(reply));
  await logReply(reply, tty, lines(messages, query, tty));
}

/** One frame for each line: the client reads the details and the message of one line from it. */
async function* lines(messages: AsyncIterable<LogMessage>, query: LogQuery, tty: boolean) {
  for await (const message of messages) {
    if (query.until !== undefined && (message.timestamp?.getTime() ?? 0) > query.until) continue;
    const text = logLine(query, {
      time: timeOf(message),
      details: detailsOf(message),
      data: Buffer.from(message.data),
    });
    yield tty ? text : frame(message.stream === LogStream.STDERR ? STDERR : STDOUT, text);
  }
}

function optionsOf(query: LogQuery): LogSubscriptionOptions {
  const streams = [
    ...(query.stdout ? [LogStream.STDOUT] : []),
    ...(query.stderr ? [LogStream.STDERR] : []),
  ];
  return {
    streams,
    follow: query.follow,
    // The wire has 0 for all lines and -n-1 for the last n.
    tail: query.tail === undefined ? 0 : -query.tail - 1,
    ...(query.since === undefined ? {} : { since: new Date(query.since) }),
  };
}

function detailsOf({ context, attrs }: LogMessage): Record<string, string> {
  return {
    ...attrs,
    'com.docker.swarm.node.id': context?.nodeId ?? '',
    'com.docker.swarm.service.id': context?.serviceId ?? '',
    'com.docker.swarm.task.id': context?.taskId ?? '',
  };
}

function timeOf({ timestamp, timestampNs }: LogMessage): string {
  const text = (timestamp ?? new Date(0)).toISOString();
  return text.replace('Z', `${String(timestampNs).padStart(6, '0')}Z`);
}
