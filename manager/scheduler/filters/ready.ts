import type { Node, Task } from '../../../proto/gen/swarm/objects.ts';
import { NodeSpec_Availability as Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeState } from '../../../proto/gen/swarm/types.ts';
import { type Filter, nodes } from './filter.ts';

/** The node is up and takes new tasks. */
export const readyFilter: Filter = {
  name: 'Ready',
  prepare: (task) => ({
    passes: ({ node }) => takesTask(node, task),
    why: ({ node }) => ({ wanted: 'ready and active', had: describe(node) }),
  }),
  summary: (count) => `${nodes(count)} not available for new tasks`,
};

export function takesTask({ status, spec }: Node, task: Task): boolean {
  if (status?.state !== NodeState.READY) return false;
  // A container that attaches itself to a network runs already, whatever is planned for its node.
  if (task.spec?.runtime?.$case === 'attachment') return true;
  return (spec?.availability ?? Availability.ACTIVE) === Availability.ACTIVE;
}

function describe({ status, spec }: Node): string {
  const state = NodeState[status?.state ?? NodeState.UNKNOWN];
  const availability = Availability[spec?.availability ?? Availability.ACTIVE];
  return `${state} and ${availability}`.toLowerCase();
}
