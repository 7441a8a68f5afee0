/** Commands that propose. */

import {
  ConfChangeTransition,
  type ConfChangeV1,
  type ConfChangeV2,
  parseConfChanges,
} from '../../../../manager/raft/index.ts';
import {
  CommandError,
  checkKeys,
  flagOf,
  named,
  parseNumber,
  singleValueOf,
} from '../arguments.ts';
import type { Argument } from '../data-file.ts';
import { bytesOf } from './bytes.ts';
import type { InteractionEnvironment } from './environment.ts';

/** `propose ID TEXT` */
export function propose(env: InteractionEnvironment, args: readonly Argument[]): void {
  const [id, text] = named(args, 'ID', 'TEXT');
  env.node(parseNumber(id!)).raw.propose(bytesOf(text!));
}

/** `propose-conf-change ID [v1=true] [transition=auto|implicit|explicit]`, the changes are the input. */
export function proposeConfChange(
  env: InteractionEnvironment,
  args: readonly Argument[],
  input: string,
): void {
  checkKeys(args, ['v1', 'transition']);
  const [id] = named(args, 'ID');
  const change = changeOf(args, input);
  env.node(parseNumber(id!)).raw.proposeConfChange(change);
}

const TRANSITIONS: Readonly<Record<string, ConfChangeTransition>> = {
  auto: ConfChangeTransition.Auto,
  implicit: ConfChangeTransition.JointImplicit,
  explicit: ConfChangeTransition.JointExplicit,
};

function changeOf(args: readonly Argument[], input: string): ConfChangeV1 | ConfChangeV2 {
  const name = singleValueOf(args, 'transition') ?? 'auto';
  const transition = TRANSITIONS[name];
  if (transition === undefined) throw new CommandError(`unknown transition ${name}`);
  const changes = parseConfChanges(input);
  if (flagOf(args, 'v1') !== true) return { transition, changes };
  const [change] = changes;
  if (change === undefined || changes.length !== 1 || transition !== ConfChangeTransition.Auto) {
    throw new CommandError('v1 conf change can only have one operation and no transition');
  }
  return change;
}
