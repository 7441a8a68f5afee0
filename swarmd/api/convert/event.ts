import type { ApiEvent } from '../events/event-hub.ts';
import type { Filters } from '../http/filters.ts';

/** A line of GET /events. Containers and images have old fields besides, which clients still read. */
export function eventToApi(event: ApiEvent) {
  const { type, action, id, attributes } = event;
  const from = type === 'container' ? { from: attributes['image'] ?? '' } : {};
  const old = type === 'container' || type === 'image' ? { status: action, id, ...from } : {};
  return {
    ...old,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: event.scope,
    time: Math.floor(event.timeMs / 1_000),
    timeNano: event.timeMs * 1_000_000,
  };
}

const OBJECT_TYPES = [
  'config',
  'container',
  'daemon',
  'image',
  'network',
  'node',
  'plugin',
  'secret',
  'service',
  'volume',
];

export function matchesEvent(filters: Filters, event: ApiEvent): boolean {
  return (
    filters.is('type', event.type) &&
    filters.is('scope', event.scope) &&
    matchesAction(filters, event.action) &&
    filters.labels('label', event.attributes) &&
    matchesObject(filters, event)
  );
}

/** health_status and exec_create come with their details: `exec_create: ls`. */
function matchesAction(filters: Filters, action: string): boolean {
  if (!filters.has('event')) return true;
  return filters
    .values('event')
    .some((wanted) => action === wanted || action.startsWith(`${wanted}:`));
}

/** `container=web service=db`: of each kind that is named, only those named, by id or name. */
function matchesObject(filters: Filters, event: ApiEvent): boolean {
  const asked = OBJECT_TYPES.filter((type) => filters.has(type));
  if (asked.length === 0) return true;
  if (event.type === 'network' && filters.has('container')) {
    return filters.prefix('container', event.attributes['container'] ?? '');
  }
  if (!asked.includes(event.type)) return false;
  const name = event.attributes['name'] ?? '';
  const image = event.type === 'image' ? event.id.replace(/:[^:/]+$/, '') : '';
  return filters
    .values(event.type)
    .some((wanted) => event.id.startsWith(wanted) || [name, image].includes(wanted));
}
