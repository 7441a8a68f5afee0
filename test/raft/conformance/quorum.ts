/**
 * Commands on quorums:
 *
 *     committed cfg=(1,2,3) [cfgj=(3,4)|zero] idx=(12,_,5,…)
 *     vote      cfg=(1,2,3) [cfgj=(3,4)|zero] votes=(y,_,n,…)
 *
 * One index or vote for each id of cfg, then for each new id of cfgj, as they are listed; `_`, and index 0,
 * stand for no information.
 */

import {
  describeCommitted,
  describeJointCommitted,
} from '../../../manager/raft/quorum/describe.ts';
import * as joint from '../../../manager/raft/quorum/joint.ts';
import * as majority from '../../../manager/raft/quorum/majority.ts';
import { CommandError, checkKeys, parseNumber, valuesOf } from './arguments.ts';
import type { Command } from './data-file.ts';

export function runQuorumCommand(command: Command): string {
  checkKeys(command.args, ['cfg', 'cfgj', 'idx', 'votes']);
  const listed = [idsOf(command, 'cfg'), idsOf(command, 'cfgj')];
  const ids = [...new Set(listed.flat())];
  const [incoming = [], outgoing = []] = listed.map((each) => [...each].sort((a, b) => a - b));
  const isJoint = valuesOf(command.args, 'cfgj') !== undefined;
  switch (command.name) {
    case 'committed': {
      const acked = lookup(ids, valuesOf(command.args, 'idx') ?? [], parseNumber);
      return isJoint
        ? describeJointCommitted({ incoming, outgoing }, acked) +
            printIndex(joint.committedIndex({ incoming, outgoing }, acked))
        : describeCommitted(incoming, acked) + printIndex(majority.committedIndex(incoming, acked));
    }
    case 'vote': {
      const voteOf = lookup(ids, valuesOf(command.args, 'votes') ?? [], parseVote);
      return isJoint
        ? joint.voteResult({ incoming, outgoing }, voteOf)
        : majority.voteResult(incoming, voteOf);
    }
    default:
      throw new CommandError(`unknown command "${command.name}"`);
  }
}

function idsOf(command: Command, key: string): number[] {
  const values = valuesOf(command.args, key) ?? [];
  if (values.length === 1 && values[0] === 'zero') return [];
  return values.map(parseNumber);
}

function parseVote(text: string): boolean {
  if (text !== 'y' && text !== 'n') throw new CommandError(`vote "${text}": wanted y, n or _`);
  return text === 'y';
}

function lookup<T>(
  ids: readonly number[],
  texts: readonly string[],
  parse: (text: string) => T,
): (id: number) => T | undefined {
  if (texts.length !== ids.length) {
    throw new CommandError(`${ids.length} voters, but ${texts.length} values for them`);
  }
  const known = new Map<number, T>();
  ids.forEach((id, i) => {
    if (texts[i] !== '_' && texts[i] !== '0') known.set(id, parse(texts[i]!));
  });
  return (id) => known.get(id);
}

function printIndex(index: number): string {
  return index === majority.ANY_INDEX ? '∞' : String(index);
}
