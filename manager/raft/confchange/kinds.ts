/** What a configuration change asks for. */

import {
  type ConfChangeSingle,
  ConfChangeTransition,
  type ConfChangeV1,
  type ConfChangeV2,
  EntryType,
} from '../types.ts';

export function isV2(change: ConfChangeV1 | ConfChangeV2): change is ConfChangeV2 {
  return 'changes' in change;
}

/** Any change as the general form, which it is one case of. */
export function asV2(change: ConfChangeV1 | ConfChangeV2): ConfChangeV2 {
  if (isV2(change)) return change;
  return {
    transition: ConfChangeTransition.Auto,
    changes: [{ type: change.type, nodeId: change.nodeId }],
    context: change.context,
  };
}

/** The type of the entry that a change is encoded in. */
export function confChangeEntryType(change: ConfChangeV1 | ConfChangeV2): EntryType {
  return isV2(change) ? EntryType.ConfChangeV2 : EntryType.ConfChange;
}

/** How a change is carried out: in one step, by a transition, or by ending one. */
export type Plan =
  | { readonly kind: 'simple'; readonly changes: readonly ConfChangeSingle[] }
  | {
      readonly kind: 'enter-joint';
      readonly autoLeave: boolean;
      readonly changes: readonly ConfChangeSingle[];
    }
  | { readonly kind: 'leave-joint' };

export function planOf(change: ConfChangeV2): Plan {
  const { transition, changes } = change;
  if (transition === ConfChangeTransition.Auto) {
    if (changes.length === 0) return { kind: 'leave-joint' };
    // More than one change needs a transition, even if the voters are not touched: that is cheap, and
    // the simple rule is easier to reason about.
    if (changes.length === 1) return { kind: 'simple', changes };
  }
  const autoLeave = transition !== ConfChangeTransition.JointExplicit;
  return { kind: 'enter-joint', autoLeave, changes };
}
