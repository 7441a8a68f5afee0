import type { Task, Volume } from '../../../proto/gen/swarm/objects.ts';
import type { NodeInfo } from '../node-info.ts';

/** What filters need to know besides the node and the task. */
export interface FilterContext {
  /** Volumes of the cluster by id, name or, as `group:NAME`, group. */
  volumes(source: string): readonly Volume[];
  /** False when one more node on this overlay would find no address left. */
  hasFreeAddress(networkId: string): boolean;
}

/** What was wanted of a node, and what it has. */
export interface Mismatch {
  readonly wanted: string;
  readonly had: string;
}

/** A filter made ready for one task. */
export interface Check {
  passes(info: NodeInfo): boolean;
  /** For a node that does not pass. */
  why(info: NodeInfo): Mismatch;
}

export interface Filter {
  readonly name: string;
  /** Undefined when the task asks for nothing that this filter looks at. */
  prepare(task: Task, context: FilterContext): Check | undefined;
  /** The part of "no suitable node (...)" for `count` nodes that did not pass. */
  summary(count: number): string;
}

export function nodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}

/** A check from a function that finds what is missing. */
export function checkOf(find: (info: NodeInfo) => Mismatch | undefined): Check {
  return {
    passes: (info) => find(info) === undefined,
    why: (info) => find(info) ?? { wanted: '', had: '' },
  };
}
