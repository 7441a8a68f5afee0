import { type Random, randomInt } from '../../common/random.ts';

/** kill: SIGKILL to the daemon; freeze: SIGSTOP to the whole host; partition: its cable is pulled. */
export const FAULTS = ['kill', 'freeze', 'partition'] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface Strike {
  readonly kind: FaultKind;
  /** On purpose, whoever it is. */
  readonly leader: boolean;
  /** Among the managers that this round has not struck yet, when it is not the leader. */
  readonly rank: number;
}

export interface Round {
  /** One; with five managers sometimes two at once. */
  readonly strikes: readonly Strike[];
  /** How long the faults last, milliseconds. */
  readonly holdMs: number;
}

export interface Victim {
  readonly host: string;
  readonly kind: FaultKind;
  readonly led: boolean;
}

const LEADER_SHARE = 0.5;
const PAIR_SHARE = 0.3;
/** Longer than an election takes, so that the end of a fault is not what ends an outage. */
const HOLD_MS = [2_500, 3_500] as const;

/** The rounds that a seed stands for. Who leads when one comes is the run's own. */
export function planRounds(random: Random, managers: number, rounds: number): Round[] {
  return Array.from({ length: rounds }, () => {
    const isPair = managers >= 5 && random.float() < PAIR_SHARE;
    const strikes = Array.from({ length: isPair ? 2 : 1 }, (_, i) => ({
      kind: FAULTS[randomInt(random, 0, FAULTS.length - 1)]!,
      leader: random.float() < LEADER_SHARE && i === 0,
      rank: randomInt(random, 0, managers - 1 - i),
    }));
    return { strikes, holdMs: randomInt(random, ...HOLD_MS) };
  });
}

/** Whom a round strikes, now that `leader` leads: each host at most once. */
export function victimsOf(round: Round, hosts: readonly string[], leader: string): Victim[] {
  const victims: Victim[] = [];
  for (const { kind, leader: isLeader, rank } of round.strikes) {
    const spared = hosts.filter((host) => !victims.some((victim) => victim.host === host));
    const host = isLeader ? leader : spared[rank % spared.length]!;
    victims.push({ host, kind, led: host === leader });
  }
  return victims;
}
