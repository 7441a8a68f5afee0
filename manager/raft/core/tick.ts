/** Time: followers and candidates count to the election timeout, leaders to the next heartbeat. */

import { message } from '../message.ts';
import { MessageType } from '../types.ts';
import type { Raft } from './raft.ts';
import { step } from './step.ts';
import { giveUpTransfer } from './transfer.ts';

export function tick(r: Raft): void {
  if (r.isLeader) tickLeader(r);
  else tickOther(r);
}

function tickOther(r: Raft): void {
  r.electionElapsed++;
  if (!r.promotable || r.electionElapsed < r.randomizedElectionTimeout) return;
  r.electionElapsed = 0;
  step(r, message({ type: MessageType.Hup, from: r.id }));
}

function tickLeader(r: Raft): void {
  const { checkQuorum, electionTick, heartbeatTick } = r.settings;
  r.heartbeatElapsed++;
  r.electionElapsed++;
  if (r.electionElapsed >= electionTick) {
    r.electionElapsed = 0;
    if (checkQuorum) step(r, message({ type: MessageType.CheckQuorum, from: r.id }));
    if (r.isLeader) giveUpTransfer(r);
  }
  if (!r.isLeader || r.heartbeatElapsed < heartbeatTick) return;
  r.heartbeatElapsed = 0;
  step(r, message({ type: MessageType.Beat, from: r.id }));
}
