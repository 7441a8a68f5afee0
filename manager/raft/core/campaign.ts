/** Elections (Raft 5.2), with the preliminary round of the thesis (9.6). */

import { isConfChange } from '../entry.ts';
import { voteResponseType } from '../message.ts';
import { voterIds } from '../quorum/joint.ts';
import { MessageType, StateType } from '../types.ts';
import { hex, type Raft } from './raft.ts';
import { becomeCandidate, becomePreCandidate } from './roles.ts';

/** 'transfer': the old leader has asked for it, so the others must not hold on to their lease. */
export type CampaignKind = 'pre-election' | 'election' | 'transfer';

const TRANSFER_CONTEXT = Uint8Array.from('CampaignTransfer', (char) => char.charCodeAt(0));

export function isTransferContext(context: Uint8Array | undefined): boolean {
  return (
    context?.length === TRANSFER_CONTEXT.length &&
    TRANSFER_CONTEXT.every((byte, i) => context[i] === byte)
  );
}

/** Starts a campaign, unless this node must not be leader. */
export function hup(r: Raft, kind: CampaignKind): void {
  if (r.isLeader) {
    r.logger.debug(`${r.name} ignoring MsgHup because already leader`);
  } else if (!r.promotable) {
    r.logger.warn(`${r.name} is unpromotable and can not campaign`);
  } else if (hasUnappliedConfChange(r)) {
    // It might win with the votes of a configuration that is no longer in force.
    r.logger.warn(
      `${r.name} cannot campaign at term ${r.term} since there are still pending ` +
        'configuration changes to apply',
    );
  } else {
    r.logger.info(`${r.name} is starting a new election at term ${r.term}`);
    campaign(r, kind);
  }
}

export function ownCampaignKind(r: Raft): CampaignKind {
  return r.settings.preVote ? 'pre-election' : 'election';
}

/** Reads the committed entries that are not applied page by page: there may be very many. */
export function hasUnappliedConfChange(r: Raft): boolean {
  const { applied, committed, maxApplyingSize } = r.log;
  return r.log.scan(applied + 1, committed + 1, maxApplyingSize, (page) => page.some(isConfChange));
}

export function campaign(r: Raft, kind: CampaignKind): void {
  const isPreVote = kind === 'pre-election';
  if (isPreVote) becomePreCandidate(r);
  else becomeCandidate(r);
  // A preliminary vote is asked for in the term the node would campaign in, which it has not entered.
  const term = isPreVote ? r.term + 1 : r.term;
  const type = isPreVote ? MessageType.PreVote : MessageType.Vote;
  const last = r.log.lastId();
  const context = kind === 'transfer' ? TRANSFER_CONTEXT : undefined;
  for (const id of voterIds(r.tracker.config.voters)) {
    if (id === r.id) {
      // Its own vote counts like any other: once it is durable.
      r.send({ type: voteResponseType(type), to: id, term });
      continue;
    }
    r.logger.info(
      `${r.name} [logterm: ${last.term}, index: ${last.index}] sent ` +
        `${isPreVote ? 'MsgPreVote' : 'MsgVote'} request to ${hex(id)} at term ${r.term}`,
    );
    r.send({ type, to: id, term, index: last.index, logTerm: last.term, context });
  }
}

export function isCampaigning(r: Raft): boolean {
  return r.state === StateType.Candidate || r.state === StateType.PreCandidate;
}
