import type { Filter } from './filter.ts';

/** The node has fewer tasks of the service than it may have. */
export const maxReplicasFilter: Filter = {
  name: 'MaxReplicas',
  prepare(task) {
    const limit = task.spec?.placement?.maxReplicas ?? 0;
    if (limit === 0) return undefined;
    return {
      passes: (info) => info.countOf(task.serviceId) < limit,
      why: (info) => ({
        wanted: `at most ${limit} replicas per node`,
        had: `${info.countOf(task.serviceId)} replicas`,
      }),
    };
  },
  summary: () => 'max replicas per node limit exceed',
};
