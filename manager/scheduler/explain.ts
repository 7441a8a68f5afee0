import type { Task } from '../../proto/gen/swarm/objects.ts';
import type { ReadTx } from '../store/types.ts';
import { filterContext } from './context.ts';
import { NodeInfo } from './node-info.ts';
import { type Explanation, explainTask } from './schedule.ts';

/**
 * Why `task` cannot be placed, for every node that refuses it, computed from the store: any manager
 * can answer. For a task that has its place, what would speak against the other nodes.
 */
export function explainPlacement(tx: ReadTx, task: Task): Explanation {
  const nodes = Array.from(tx.all('node'), (node) => {
    const info = new NodeInfo(node);
    for (const other of tx.find('task', { nodeId: node.id })) {
      if (other.id !== task.id) info.put(other);
    }
    return info;
  });
  return explainTask(
    nodes,
    task,
    filterContext((read) => read(tx)),
  );
}
