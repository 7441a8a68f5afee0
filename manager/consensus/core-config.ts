import type { Config } from 'raft-ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import * as defaults from './constants.ts';
import type { ConsensusInit } from './init.ts';

/** How this project runs the core: see docs of `Config` for what each setting means. */
export function coreConfig(
  components: { readonly random: Random; readonly logger: Logger },
  init: ConsensusInit,
  raftId: number,
): Omit<Config, 'storage' | 'applied' | 'asyncStorageWrites'> {
  const { random } = components;
  const log = components.logger.child({ module: 'raft' });
  return {
    id: raftId,
    electionTick: init.electionTicks ?? defaults.ELECTION_TICKS,
    heartbeatTick: init.heartbeatTicks ?? defaults.HEARTBEAT_TICKS,
    maxSizePerMsg: defaults.MESSAGE_BYTES_MAX,
    maxCommittedSizePerReady: defaults.APPLY_BYTES_MAX,
    maxInflightMsgs: defaults.INFLIGHT_MESSAGES_MAX,
    maxInflightBytes: defaults.INFLIGHT_BYTES_MAX,
    checkQuorum: true,
    preVote: true,
    // Only the leader knows the index that a proposal will have.
    disableProposalForwarding: true,
    stepDownOnRemoval: true,
    random: () => random.float(),
    // The core reports every election step; what matters of it is logged by those who act on it.
    logger: {
      debug: (text) => log.trace(text),
      info: (text) => log.debug(text),
      warn: (text) => log.info(text),
      error: (text) => log.error(text),
    },
  };
}
