import type { MemberStatus } from '../../manager/index.ts';

/**
 * Why a manager must not leave without `force`: what its swarm would lose. `members` is undefined
 * while the manager does not serve, and nobody knows.
 */
export function leaveWarning(members: readonly MemberStatus[] | undefined): string {
  const start =
    'You are attempting to leave the swarm on a node that is participating as a manager. ';
  const end =
    'The only way to restore a swarm that has lost consensus is to reinitialize it with ' +
    '`--force-new-cluster`. Use `--force` to suppress this message.';
  if (!members) return `${start}Doing so may lose the consensus of your cluster. ${end}`;
  const reachable = members.filter((member) => member.reachable || member.self).length;
  const unreachable = members.length - reachable;
  if (members.length <= 1) {
    return `${start}Removing the last manager erases all current state of the swarm. Use \`--force\` to ignore this message. `;
  }
  // Without this one, fewer than a majority of the members that remain would be reachable.
  if (reachable - 2 > unreachable) return start + end;
  return (
    `${start}Removing this node leaves ${reachable - 1} managers out of ${members.length}. ` +
    `Without a Raft quorum your swarm will be inaccessible. ${end}`
  );
}
