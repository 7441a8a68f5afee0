/** The rules a `Config` must obey, and its defaults: the one place that knows both. */

import { NO_LIMIT } from './entry.ts';
import { ErrConfig } from './errors.ts';
import { isStorageThread } from './message.ts';
import { type Config, type Logger, NONE, type ReadOnlyOption, type Storage } from './types.ts';

/** A valid `Config` with everything filled in. */
export interface Settings {
  readonly id: number;
  readonly electionTick: number;
  readonly heartbeatTick: number;
  readonly storage: Storage;
  readonly applied: number;
  readonly asyncStorageWrites: boolean;
  readonly maxSizePerMsg: number;
  readonly maxCommittedSizePerReady: number;
  readonly maxUncommittedEntriesSize: number;
  readonly maxInflightMsgs: number;
  readonly maxInflightBytes: number;
  readonly checkQuorum: boolean;
  readonly preVote: boolean;
  readonly readOnlyOption: ReadOnlyOption;
  readonly disableProposalForwarding: boolean;
  readonly disableConfChangeValidation: boolean;
  readonly stepDownOnRemoval: boolean;
  readonly logger: Logger;
  readonly random: () => number;
}

export const SILENT: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};

/** Throws ErrConfig. */
export function settingsOf(config: Config): Settings {
  validate(config);
  return {
    id: config.id,
    electionTick: config.electionTick,
    heartbeatTick: config.heartbeatTick,
    storage: config.storage,
    applied: config.applied ?? 0,
    asyncStorageWrites: config.asyncStorageWrites ?? false,
    maxSizePerMsg: config.maxSizePerMsg,
    maxCommittedSizePerReady: config.maxCommittedSizePerReady || config.maxSizePerMsg,
    maxUncommittedEntriesSize: config.maxUncommittedEntriesSize || NO_LIMIT,
    maxInflightMsgs: config.maxInflightMsgs,
    maxInflightBytes: config.maxInflightBytes ?? 0,
    checkQuorum: config.checkQuorum ?? false,
    preVote: config.preVote ?? false,
    readOnlyOption: config.readOnlyOption ?? 'safe',
    disableProposalForwarding: config.disableProposalForwarding ?? false,
    disableConfChangeValidation: config.disableConfChangeValidation ?? false,
    stepDownOnRemoval: config.stepDownOnRemoval ?? false,
    logger: config.logger ?? SILENT,
    random: config.random,
  };
}

function validate(config: Config): void {
  const check = (isValid: boolean, rule: string) => {
    if (!isValid) throw new ErrConfig(`invalid raft configuration: ${rule}`);
  };
  // Also for callers without types: a size that is no number would compare as no limit at all.
  const isSize = (value: unknown) => typeof value === 'number' && value >= 0;
  const isOptionalSize = (value: unknown) => value === undefined || isSize(value);

  check(typeof config.storage === 'object' && config.storage !== null, 'storage is missing');
  check(typeof config.random === 'function', 'random is missing, the source of randomness');
  check(config.id !== NONE, 'id 0 means no node');
  check(Number.isSafeInteger(config.id) && config.id > 0, `id ${config.id} is not in [1, 2^53)`);
  check(!isStorageThread(config.id), `id ${config.id} is reserved for the storage threads`);
  check(
    Number.isSafeInteger(config.heartbeatTick) && config.heartbeatTick > 0,
    'heartbeatTick must be an integer of at least 1',
  );
  check(
    Number.isSafeInteger(config.electionTick) && config.electionTick > config.heartbeatTick,
    `electionTick ${config.electionTick} must be an integer above heartbeatTick ${config.heartbeatTick}`,
  );
  check(config.maxInflightMsgs > 0, 'maxInflightMsgs must be at least 1');
  check(
    config.applied === undefined || (Number.isSafeInteger(config.applied) && config.applied >= 0),
    'applied must be the index of an entry, or 0',
  );
  check(isSize(config.maxSizePerMsg), 'maxSizePerMsg must be a size in bytes, or 0');
  for (const name of [
    'maxCommittedSizePerReady',
    'maxUncommittedEntriesSize',
    'maxInflightBytes',
  ] as const) {
    check(isOptionalSize(config[name]), `${name} must be a size in bytes, or 0`);
  }
  check(
    !config.maxInflightBytes || config.maxInflightBytes >= config.maxSizePerMsg,
    'maxInflightBytes must be at least maxSizePerMsg, or a full message would never fit',
  );
  check(
    config.readOnlyOption !== 'lease-based' || config.checkQuorum === true,
    'lease-based reads need checkQuorum: without it a leader never learns that its lease is over',
  );
}
