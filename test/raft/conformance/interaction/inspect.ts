/** Commands that only look. */

import {
  describeEntries,
  describeProgress,
  NO_LIMIT,
  stateName,
} from '../../../../manager/raft/index.ts';
import type { EnvironmentNode, InteractionEnvironment } from './environment.ts';

/** The progress of the followers, at a leader. */
export function printStatus(env: InteractionEnvironment, { raw }: EnvironmentNode): void {
  raw.withProgress((each) => env.output.write(`${each.id}: ${describeProgress(each)}\n`));
}

export function printRaftState(env: InteractionEnvironment): void {
  for (const { id, raw } of env.nodes) {
    const { confState, hardState, softState } = raw.status();
    const isVoter = [...confState.voters, ...confState.votersOutgoing].includes(id);
    env.output.write(
      `${id}: ${stateName(softState.raftState)} ${isVoter ? '(Voter)' : '(Non-Voter)'} ` +
        `Term:${hardState.term} Lead:${softState.lead}\n`,
    );
  }
}

/** The durable log. */
export function printRaftLog(env: InteractionEnvironment, { storage }: EnvironmentNode): void {
  const first = storage.firstIndex();
  const last = storage.lastIndex();
  env.output.write(
    last < first
      ? `log is empty: first index=${first}, last index=${last}`
      : describeEntries(storage.entries(first, last + 1, NO_LIMIT)),
  );
}
