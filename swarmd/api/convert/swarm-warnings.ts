import type { MemberStatus } from '../../../manager/index.ts';

const TWO_MANAGERS =
  'WARNING: Running Swarm in a two-manager configuration. This configuration provides\n' +
  '         no fault tolerance, and poses a high risk to lose control over the cluster.\n' +
  '         Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the\n' +
  '         Swarm for fault-tolerance.';

/** `Info.Swarm.Warnings`: what the number and state of the managers puts at risk. */
export function swarmWarnings(members: readonly MemberStatus[]): string[] {
  const voters = members.filter(({ learner }) => !learner);
  const total = voters.length;
  const reachable = voters.filter((member) => member.self || member.reachable).length;
  return [...numberWarnings(total), ...reachabilityWarnings(total, reachable)];
}

function numberWarnings(total: number): string[] {
  if (total === 2) return [TWO_MANAGERS];
  if (total === 0 || total % 2 !== 0) return [];
  const tolerated = total - quorumOf(total);
  return [
    `WARNING: Running Swarm with an even number of managers (${total}). It survives the loss of\n` +
      `         ${tolerated}, as ${total - 1} would, and one manager more would make it ${tolerated + 1}.`,
  ];
}

function reachabilityWarnings(total: number, reachable: number): string[] {
  if (reachable === total) return [];
  const quorum = quorumOf(total);
  if (reachable < quorum) {
    return [
      `WARNING: Only ${reachable} of ${total} managers can be reached, and it takes ${quorum} to change anything.\n` +
        '         Bring managers back, or begin again from one with `swarmctl swarm recover`.',
    ];
  }
  if (reachable > quorum) return [];
  return [
    `WARNING: ${total - reachable} of ${total} managers cannot be reached: if one more fails, the swarm loses its quorum.\n` +
      '         Bring them back, or demote them and promote others.',
  ];
}

function quorumOf(total: number): number {
  return Math.floor(total / 2) + 1;
}
