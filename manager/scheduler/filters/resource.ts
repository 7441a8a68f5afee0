import { findShortage } from '../resources.ts';
import { checkOf, type Filter, nodes } from './filter.ts';

/** What the task reserves is free on the node. Limits do not count. */
export const resourceFilter: Filter = {
  name: 'Resource',
  prepare(task) {
    const wanted = task.spec?.resources?.reservations;
    if (!wanted) return undefined;
    if (!wanted.nanoCpus && !wanted.memoryBytes && wanted.generic.length === 0) return undefined;
    return checkOf(({ node, reserved }) =>
      findShortage(wanted, node.description?.resources, reserved),
    );
  },
  summary: (count) => `insufficient resources on ${nodes(count)}`,
};
