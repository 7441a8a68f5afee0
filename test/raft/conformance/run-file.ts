/** Runs the commands of one file and compares what they print. */

import { CommandError } from './arguments.ts';
import { type Command, parseDataFile } from './data-file.ts';
import { diffLines } from './diff.ts';
import { runnerFor } from './suite.ts';
import { terminated, withoutLogLines } from './tiers.ts';

export interface FileResult {
  readonly commands: readonly Command[];
  /** What each command printed. */
  readonly outputs: readonly string[];
  /** Where the outputs differ apart from log lines, as text for people. */
  readonly failures: readonly string[];
  /** Commands whose output differs in log lines only. */
  readonly wordings: readonly string[];
}

export function runDataFile(text: string): FileResult {
  const commands = parseDataFile(text);
  const run = runnerFor(commands);
  const outputs: string[] = [];
  const failures: string[] = [];
  const wordings: string[] = [];
  for (const command of commands) {
    const output = terminated(runSafely(run, command));
    outputs.push(output);
    const where = `line ${command.line}: ${command.name}`;
    const expected = withoutLogLines(command.expected);
    const found = withoutLogLines(output);
    if (expected !== found) failures.push(`${where}\n${diffLines(expected, found)}`);
    else if (command.expected !== output) {
      wordings.push(`${where}\n${diffLines(command.expected, output)}`);
    }
  }
  return { commands, outputs, failures, wordings };
}

/** A refusal is an output like any other, and so is a crash: one that no file expects. */
function runSafely(run: (command: Command) => string, command: Command): string {
  try {
    return run(command);
  } catch (error) {
    if (error instanceof CommandError) return error.message;
    return `panic: ${error instanceof Error ? error.stack : String(error)}`;
  }
}
