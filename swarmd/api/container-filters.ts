import type { Container } from '../../worker/index.ts';
import { badRequest } from './http/errors.ts';
import type { Filters } from './http/filters.ts';

export const CONTAINER_FILTERS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

export interface ContainerSelection {
  /** Also those that do not run. */
  readonly all: boolean;
  /** The newest so many, whatever their state; 0 is no limit. */
  readonly limit: number;
  readonly filters: Filters;
  /** Throws when there is no such container. */
  readonly get: (ref: string) => Container;
}

/** The containers that GET /containers/json shows, newest first. */
export function selectContainers(
  containers: readonly Container[],
  selection: ContainerSelection,
): Container[] {
  const { filters, all, limit } = selection;
  const created = creationBounds(selection);
  const everyState = all || limit > 0 || filters.has('status') || filters.has('exited');
  const chosen = containers
    .filter((container) => everyState || isUp(container))
    .filter(({ createdAt }) => createdAt > created.after && createdAt < created.before)
    .filter((container) => matches(filters, container))
    .sort((a, b) => b.createdAt - a.createdAt);
  return limit > 0 ? chosen.slice(0, limit) : chosen;
}

function isUp({ state }: Container): boolean {
  return ['running', 'paused', 'restarting'].includes(state.status);
}

function creationBounds({ filters, get }: ContainerSelection) {
  const timesOf = (key: string) => filters.values(key).map((ref) => get(ref).createdAt);
  return {
    after: Math.max(...timesOf('since'), Number.NEGATIVE_INFINITY),
    before: Math.min(...timesOf('before'), Number.POSITIVE_INFINITY),
  };
}

function matches(filters: Filters, container: Container): boolean {
  const { config, state, endpoints } = container;
  const networks = endpoints.flatMap((endpoint) => [endpoint.networkId, endpoint.networkName]);
  const isTask = container.taskId !== '';
  const exited = filters.values('exited').map(exitCode);
  return (
    filters.prefix('id', container.id) &&
    filters.pattern('name', [container.name, `/${container.name}`]) &&
    filters.labels('label', config.Labels ?? {}) &&
    filters.is('status', state.status) &&
    filters.is('health', state.health) &&
    filters.anyOf('network', networks) &&
    filters.anyOf('ancestor', imageNames(container)) &&
    filters.anyOf('volume', volumesOf(container)) &&
    matchesPorts(filters, container) &&
    (filters.boolean('is-task') ?? isTask) === isTask &&
    (exited.length === 0 || (state.status === 'exited' && exited.includes(state.exitCode)))
  );
}

function exitCode(text: string): number {
  if (!/^-?\d{1,6}$/.test(text)) throw badRequest(`invalid filter 'exited=${text}'`);
  return Number(text);
}

/** An image counts by its id, and by its name with and without the tag. */
function imageNames({ config, imageId }: Container): string[] {
  const name = config.Image;
  const untagged = name.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
  const tagged = /:[^:/]*$/.test(name) ? name : `${name}:latest`;
  const hex = imageId.replace('sha256:', '');
  return [name, tagged, untagged, imageId, hex, hex.slice(0, 12)];
}

function volumesOf({ hostConfig }: Container): string[] {
  const mounts = (hostConfig.Mounts ?? []).flatMap((mount) => [mount.Source ?? '', mount.Target]);
  const binds = (hostConfig.Binds ?? []).flatMap((bind) => bind.split(':').slice(0, 2));
  return [...mounts, ...binds].filter(Boolean);
}

function matchesPorts(filters: Filters, { ports, config }: Container): boolean {
  const published = ports.flatMap(({ containerPort, hostPort, protocol }) => [
    `${hostPort}`,
    `${hostPort}/${protocol}`,
    `${containerPort}`,
    `${containerPort}/${protocol}`,
  ]);
  const exposed = Object.keys(config.ExposedPorts ?? {}).flatMap((port) => [
    port,
    port.split('/')[0] ?? '',
  ]);
  return filters.anyOf('publish', published) && filters.anyOf('expose', [...exposed, ...published]);
}
