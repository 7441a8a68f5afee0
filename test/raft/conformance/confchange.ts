/**
 * Commands on configurations: `simple`, `enter-joint [autoleave=true]` and `leave-joint`, with changes
 * such as `v1 l2 r3` as input. Each command moves the end of the log on by one, also a failing one.
 */

import { type Changed, Changer } from '../../../manager/raft/confchange/changer.ts';
import { parseConfChanges } from '../../../manager/raft/confchange/text.ts';
import { RaftError } from '../../../manager/raft/errors.ts';
import { describeConfig } from '../../../manager/raft/tracker/config.ts';
import { describeProgressMap, ProgressTracker } from '../../../manager/raft/tracker/tracker.ts';
import type { ConfChangeSingle } from '../../../manager/raft/types.ts';
import { CommandError, checkKeys, flagOf } from './arguments.ts';
import type { Command } from './data-file.ts';

export class ConfChangeState {
  readonly tracker = new ProgressTracker(10, 0);
  lastIndex = 0;
}

export function runConfChangeCommand(state: ConfChangeState, command: Command): string {
  const { tracker } = state;
  checkKeys(command.args, ['autoleave']);
  try {
    const changer = new Changer(tracker, state.lastIndex);
    const { config, progress } = change(changer, command, parseConfChanges(command.input));
    tracker.use(config, progress);
    return `${describeConfig(config)}\n${describeProgressMap(tracker.progress)}`;
  } catch (error) {
    if (error instanceof RaftError) return error.message;
    throw error;
  } finally {
    state.lastIndex++;
  }
}

function change(changer: Changer, command: Command, changes: readonly ConfChangeSingle[]): Changed {
  switch (command.name) {
    case 'simple':
      return changer.simple(changes);
    case 'enter-joint':
      return changer.enterJoint(flagOf(command.args, 'autoleave') ?? false, changes);
    case 'leave-joint':
      if (changes.length > 0) throw new CommandError('this command takes no input');
      return changer.leaveJoint();
    default:
      throw new CommandError(`unknown command "${command.name}"`);
  }
}
