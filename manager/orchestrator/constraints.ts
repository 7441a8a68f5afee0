import type { Node } from '../../proto/gen/swarm/objects.ts';
import { type Constraint, matches, parseConstraints } from '../scheduler/constraint.ts';

/** True when the node satisfies all of `constraints`. One that cannot be read matches no node. */
export function satisfies(node: Node, constraints: readonly string[]): boolean {
  const parsed = parse(constraints);
  return parsed !== undefined && matches(parsed, node);
}

function parse(constraints: readonly string[]): readonly Constraint[] | undefined {
  try {
    return parseConstraints(constraints);
  } catch {
    return undefined;
  }
}
