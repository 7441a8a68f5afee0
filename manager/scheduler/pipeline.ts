import type { NodeRejection, Task } from '../../proto/gen/swarm/objects.ts';
import { addressFilter } from './filters/address.ts';
import { constraintFilter } from './filters/constraint.ts';
import type { Check, Filter, FilterContext } from './filters/filter.ts';
import { hostPortFilter } from './filters/host-port.ts';
import { maxReplicasFilter } from './filters/max-replicas.ts';
import { platformFilter } from './filters/platform.ts';
import { pluginFilter } from './filters/plugin.ts';
import { readyFilter } from './filters/ready.ts';
import { resourceFilter } from './filters/resource.ts';
import { volumeFilter } from './filters/volume.ts';
import type { NodeInfo } from './node-info.ts';

/** In the order in which they are asked; the first that refuses is the reason. */
const FILTERS: readonly Filter[] = [
  readyFilter,
  resourceFilter,
  pluginFilter,
  constraintFilter,
  platformFilter,
  hostPortFilter,
  maxReplicasFilter,
  volumeFilter,
  addressFilter,
];

/** Every filter that has something to say about one task. */
export class Pipeline {
  readonly #checks: { readonly filter: Filter; readonly check: Check }[] = [];

  constructor(task: Task, context: FilterContext) {
    for (const filter of FILTERS) {
      const check = filter.prepare(task, context);
      if (check) this.#checks.push({ filter, check });
    }
  }

  passes(info: NodeInfo): boolean {
    return this.#checks.every(({ check }) => check.passes(info));
  }

  /** Why the node cannot take the task; undefined when it can. */
  reject(info: NodeInfo): NodeRejection | undefined {
    const failed = this.#checks.find(({ check }) => !check.passes(info));
    if (!failed) return undefined;
    const { wanted, had } = failed.check.why(info);
    return { nodeId: info.node.id, filter: failed.filter.name, wanted, had };
  }
}

/** "no suitable node (A; B)", the reason that holds for the most nodes first. */
export function summarize(rejections: readonly NodeRejection[]): string {
  const counts = new Map<string, number>();
  for (const { filter } of rejections) counts.set(filter, (counts.get(filter) ?? 0) + 1);
  const parts = FILTERS.filter(({ name }) => counts.has(name))
    .map((filter) => ({ filter, count: counts.get(filter.name) as number }))
    .sort((a, b) => b.count - a.count)
    .map(({ filter, count }) => filter.summary(count));
  return parts.length > 0 ? `no suitable node (${parts.join('; ')})` : 'no suitable node';
}
