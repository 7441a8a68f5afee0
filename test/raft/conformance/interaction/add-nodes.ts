/**
 * `add-nodes N [voters=() learners=() index=I content=text] [inflight=n] [prevote=] [checkquorum=] …`:
 * N nodes, which start from a snapshot at I if one is described, and else with nothing.
 */

import {
  type Config,
  NO_LIMIT,
  type ReadOnlyOption,
  type Snapshot,
} from '../../../../manager/raft/index.ts';
import {
  CommandError,
  checkKeys,
  flagOf,
  namedNumbers,
  numberOf,
  parseNumber,
  singleValueOf,
  valuesOf,
} from '../arguments.ts';
import type { Argument } from '../data-file.ts';
import { bytesOf } from './bytes.ts';
import type { InteractionEnvironment } from './environment.ts';

const OPTIONS = [
  'voters',
  'learners',
  'index',
  'content',
  'inflight',
  'async-storage-writes',
  'prevote',
  'checkquorum',
  'max-committed-size-per-ready',
  'disable-conf-change-validation',
  'read-only',
  'step-down-on-removal',
];

export function addNodes(env: InteractionEnvironment, args: readonly Argument[]): void {
  checkKeys(args, OPTIONS);
  const [count] = namedNumbers(args, 'N');
  const initial = initialSnapshot(args);
  if (initial.metadata.term > 0 && initial.metadata.index <= 1) {
    throw new CommandError('index must be specified as > 1 due to bootstrap');
  }
  for (let i = 0; i < count!; i++) env.add(configOf(args), initial);
}

function initialSnapshot(args: readonly Argument[]): Snapshot {
  const ids = (key: string) => (valuesOf(args, key) ?? []).map(parseNumber);
  const content = singleValueOf(args, 'content');
  const index = numberOf(args, 'index') ?? 0;
  const voters = ids('voters');
  const learners = ids('learners');
  const isGiven = index > 0 || voters.length > 0 || learners.length > 0 || content !== undefined;
  return {
    metadata: {
      index,
      term: isGiven ? 1 : 0,
      confState: { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false },
    },
    data: content === undefined ? undefined : bytesOf(content),
  };
}

function configOf(args: readonly Argument[]): Omit<Config, 'id' | 'storage' | 'logger' | 'random'> {
  return {
    electionTick: 3,
    heartbeatTick: 1,
    maxSizePerMsg: NO_LIMIT,
    maxInflightMsgs: numberOf(args, 'inflight') ?? 2 ** 31 - 1,
    maxCommittedSizePerReady: numberOf(args, 'max-committed-size-per-ready'),
    applied: numberOf(args, 'index'),
    asyncStorageWrites: flagOf(args, 'async-storage-writes'),
    preVote: flagOf(args, 'prevote'),
    checkQuorum: flagOf(args, 'checkquorum'),
    disableConfChangeValidation: flagOf(args, 'disable-conf-change-validation'),
    stepDownOnRemoval: flagOf(args, 'step-down-on-removal'),
    readOnlyOption: readOnlyOptionOf(args),
  };
}

function readOnlyOptionOf(args: readonly Argument[]): ReadOnlyOption | undefined {
  const option = singleValueOf(args, 'read-only');
  if (option === undefined || option === 'safe' || option === 'lease-based') return option;
  throw new CommandError(`invalid read-only option "${option}"`);
}
