import { errorMessage } from '../../../common/errors.ts';
import {
  attributeOf,
  type Constraint,
  firstMismatch,
  formatConstraint,
  parseConstraints,
} from '../constraint.ts';
import { checkOf, type Filter, nodes } from './filter.ts';

/** The node satisfies every placement constraint of the task. */
export const constraintFilter: Filter = {
  name: 'Constraint',
  prepare(task) {
    const expressions = task.spec?.placement?.constraints ?? [];
    if (expressions.length === 0) return undefined;
    let constraints: Constraint[];
    try {
      constraints = parseConstraints(expressions);
    } catch (error) {
      const mismatch = { wanted: expressions.join(', '), had: errorMessage(error) };
      return { passes: () => false, why: () => mismatch };
    }
    return checkOf(({ node }) => {
      const mismatch = firstMismatch(constraints, node);
      if (!mismatch) return undefined;
      const had = attributeOf(node, mismatch.key);
      return { wanted: formatConstraint(mismatch), had: had ?? `no such key: ${mismatch.key}` };
    });
  },
  summary: (count) => `scheduling constraints not satisfied on ${nodes(count)}`,
};
