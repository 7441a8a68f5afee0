import type { RouteGroup } from '../components.ts';
import { eventToApi, matchesEvent } from '../convert/event.ts';
import type { ApiEvent } from '../events/event-hub.ts';
import { Filters } from '../http/filters.ts';
import { Query } from '../http/query.ts';
import { clientSignal, streamReply } from '../http/stream-reply.ts';
import { parseTime } from '../http/time.ts';
import { queueOf } from '../queue.ts';

const FILTERS = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
];

/** Waiting events of one client; a slower one misses the oldest. */
const MAX_WAITING = 4_096;

export const eventRoutes: RouteGroup = (app, { events, clock }) => {
  app.get('/events', async (request, reply) => {
    const query = new Query(request);
    const filters = new Filters(request, FILTERS);
    const now = clock.now();
    const since = parseTime(query.string('since'), now);
    const until = parseTime(query.string('until'), now);
    const queue = queueOf<ApiEvent>(clientSignal(reply), MAX_WAITING);
    const stop = events.subscribe((event) => queue.push(event));
    const timer = until === undefined ? undefined : clock.setTimer(until - now, queue.end);
    for (const event of since === undefined ? [] : events.past(since, until ?? now)) {
      queue.push(event);
    }
    if (until !== undefined && until <= now) queue.end();
    try {
      await streamReply(reply, 'application/json', lines(queue.items, filters));
    } finally {
      stop();
      timer?.cancel();
    }
  });
};

async function* lines(items: AsyncIterable<ApiEvent>, filters: Filters) {
  for await (const event of items) {
    if (matchesEvent(filters, event)) yield `${JSON.stringify(eventToApi(event))}\n`;
  }
}
