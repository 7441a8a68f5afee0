import type { MemberStatus } from '../consensus/types.ts';

/**
 * True when the members that are left after `raftId` went away could not decide anything: fewer of
 * them are reachable than a majority of them. Learners have no vote.
 */
export function losesQuorum(members: readonly MemberStatus[], raftId: number): boolean {
  const removed = members.find((member) => member.raftId === raftId);
  if (!removed || removed.learner) return false;
  const voters = members.filter((member) => member !== removed && !member.learner);
  const reachable = voters.filter((member) => member.reachable || member.self).length;
  return reachable < Math.floor(voters.length / 2) + 1;
}
