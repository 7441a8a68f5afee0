import { isSwarmError } from '../../../common/errors.ts';
import type { ApiComponents } from '../components.ts';
import { badRequest } from '../http/errors.ts';
import { type Filters, hasLabel } from '../http/filters.ts';
import { parseTime } from '../http/time.ts';
import { type ListedNetwork, listNetworks } from './directory.ts';
import { removeNetwork } from './remove.ts';

/** Removes the networks that nobody uses; those that somebody began to use meanwhile stay. */
export async function pruneNetworks(components: ApiComponents, filters: Filters) {
  const until = untilOf(filters, components.clock.now());
  const removed: string[] = [];
  for (const network of await listNetworks(components.node)) {
    if (!isCandidate(network, filters, until)) continue;
    try {
      await removeNetwork(components, network);
      removed.push(network.name);
    } catch (error) {
      const isUsed = isSwarmError(error, 'SWM_PERMISSION_DENIED', 'SWM_FAILED_PRECONDITION');
      if (!isUsed && !isSwarmError(error, 'SWM_INVALID_ARGUMENT', 'SWM_NOT_FOUND')) throw error;
      components.logger.debug({ err: error }, `network ${network.name} was not pruned`);
    }
  }
  return removed;
}

/** The filter `until` as milliseconds since the epoch. */
export function untilOf(filters: Filters, now: number): number | undefined {
  const values = filters.values('until');
  if (values.length > 1) throw badRequest('more than one until filter specified');
  return values[0] === undefined ? undefined : parseTime(values[0], now);
}

export function keepsLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  return (
    filters.labels('label', labels) &&
    !filters.values('label!').some((unwanted) => hasLabel(labels, unwanted))
  );
}

function isCandidate(network: ListedNetwork, filters: Filters, until: number | undefined): boolean {
  return (
    !network.predefined &&
    !network.ingress &&
    !network.inUse &&
    (until === undefined || network.createdAt <= until) &&
    keepsLabels(filters, network.labels)
  );
}
