import {
  type ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV1,
  type ConfChangeV2,
} from '../../../manager/raft/index.ts';
import type { Cluster } from './cluster.ts';

const of =
  (type: ConfChangeType) =>
  (nodeId: number): ConfChangeV1 => ({ type, nodeId });

export const add = of(ConfChangeType.AddNode);
export const learn = of(ConfChangeType.AddLearnerNode);
export const remove = of(ConfChangeType.RemoveNode);

export function v2(
  transition: ConfChangeTransition,
  ...changes: readonly ConfChangeV1[]
): ConfChangeV2 {
  return { transition, changes };
}

/** As the member `id` has it. */
export function votersOf(cluster: Cluster, id: number): readonly number[] {
  return cluster.member(id).node.status().confState.voters;
}
