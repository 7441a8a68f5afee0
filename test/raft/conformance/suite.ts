/** The three grammars of directives, told apart by their words. */

import { ConfChangeState, runConfChangeCommand } from './confchange.ts';
import type { Command } from './data-file.ts';
import { runInteractionCommand } from './interaction/commands.ts';
import { InteractionEnvironment } from './interaction/environment.ts';
import { runQuorumCommand } from './quorum.ts';

/** Runs one command and returns its output. All commands of a file share a runner, in order. */
export type Runner = (command: Command) => string;

const QUORUM = new Set(['committed', 'vote']);
const CONF_CHANGE = new Set(['simple', 'enter-joint', 'leave-joint']);

export function runnerFor(commands: readonly Command[]): Runner {
  const first = commands[0]?.name ?? '';
  if (QUORUM.has(first)) return runQuorumCommand;
  if (CONF_CHANGE.has(first)) {
    const state = new ConfChangeState();
    return (command) => runConfChangeCommand(state, command);
  }
  const environment = new InteractionEnvironment();
  return (command) => runInteractionCommand(environment, command);
}
