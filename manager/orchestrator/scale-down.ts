import type { Node, Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { attributeOf } from '../scheduler/constraint.ts';
import { spreadLabels } from '../scheduler/spread-tree.ts';
import { stateOf } from './facts.ts';
import type { Plan } from './plan.ts';

interface Candidate {
  readonly key: string;
  readonly slot: number;
  /** 0 for the best kept: it runs; 1 on its way; 2 has no node or does not settle. */
  readonly rank: number;
  /** From the widest placement preference down to the node. */
  readonly branches: readonly string[];
}

/**
 * Chooses the slots that stay when there are more than `keep`. Slots that do not run go first. Of
 * the others, each time one of the fullest branch of the placement tree goes, which is the one
 * that the scheduler, spreading by the same tree, would have filled last: scaling down and up again
 * comes back to where it was.
 */
export function slotsToKeep(
  plan: Plan,
  taken: ReadonlyMap<string, readonly Task[]>,
  keep: number,
): Set<string> {
  let left = [...taken].map(([key, tasks]) => candidate(plan, key, tasks));
  while (left.length > keep) {
    const worst = Math.max(...left.map(({ rank }) => rank));
    const victim = fullestBranch(left, worst);
    left = left.filter((other) => other !== victim);
  }
  return new Set(left.map(({ key }) => key));
}

function candidate(plan: Plan, key: string, tasks: readonly Task[]): Candidate {
  const [task] = tasks;
  const node = task && plan.nodeOf(task);
  return {
    key,
    slot: Number(key),
    rank: rankOf(tasks),
    branches: node ? branchesOf(plan, node) : [],
  };
}

function rankOf(tasks: readonly Task[]): number {
  const [task] = tasks;
  if (!task || tasks.length > 1 || task.nodeId === '') return 2;
  if (stateOf(task) > TaskState.RUNNING) return 2;
  return stateOf(task) === TaskState.RUNNING && task.desiredState === TaskState.RUNNING ? 0 : 1;
}

function branchesOf(plan: Plan, node: Node): string[] {
  const labels = spreadLabels(plan.service.spec?.task?.placement);
  return [...labels.map((label) => attributeOf(node, label) ?? ''), node.id];
}

/** A slot of `rank` in the fullest branch of the fullest branch …; the highest slot of the last. */
function fullestBranch(candidates: readonly Candidate[], rank: number): Candidate | undefined {
  let inside = candidates.filter((candidate) => candidate.rank === rank);
  let all = candidates;
  const depth = Math.max(...inside.map(({ branches }) => branches.length));
  for (let level = 0; level < depth; level++) {
    const branch = fullest(all, inside, level);
    inside = inside.filter(({ branches }) => branches[level] === branch);
    all = all.filter(({ branches }) => branches[level] === branch);
  }
  return inside.reduce((a, b) => (b.slot > a.slot ? b : a));
}

/** Fullness counts every slot of the branch; only branches with something to give are asked. */
function fullest(
  all: readonly Candidate[],
  inside: readonly Candidate[],
  level: number,
): string | undefined {
  const counts = new Map<string | undefined, number>();
  for (const { branches } of all) {
    counts.set(branches[level], (counts.get(branches[level]) ?? 0) + 1);
  }
  // Ties go to the branch with the highest slot, i.e. the youngest.
  const order = [...inside].sort((a, b) => b.slot - a.slot).map(({ branches }) => branches[level]);
  return order.reduce((a, b) => ((counts.get(b) ?? 0) > (counts.get(a) ?? 0) ? b : a));
}
