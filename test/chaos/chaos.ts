import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../common/random.ts';
import { Api } from '../bench/support/api.ts';
import { Clients, INITIAL, PACE_MS, REGISTERS } from './clients.ts';
import { ErrorsSeen } from './errors-seen.ts';
import { mend, strike } from './faults.ts';
import { longestGap } from './gaps.ts';
import { type Counts, History } from './history.ts';
import type { Lab } from './lab.ts';
import { configsAt, settled } from './managers.ts';
import { planRounds, type Round, type Victim, victimsOf } from './plan.ts';

export interface ChaosComponents {
  readonly lab: Lab;
  readonly random: Random;
  readonly print: (line: string) => void;
}

export interface ChaosInit {
  readonly rounds: number;
}

export interface RoundResult {
  readonly victims: readonly Victim[];
  /** The longest time in which no manager acknowledged a write, less the pace of the writers. */
  readonly outageMs: number;
}

export interface ChaosResult {
  readonly rounds: readonly RoundResult[];
  readonly counts: Counts;
  /** A line for each kind of error that a client got. */
  readonly errors: readonly string[];
  /** Empty when everything held. */
  readonly violations: readonly string[];
}

/** Before a fault, and after all are back, for so long it is only watched. */
const CALM_MS = 300;

/** Round after round of faults under load; then all that the clients saw is judged. */
export async function runChaos(
  components: ChaosComponents,
  { rounds }: ChaosInit,
): Promise<ChaosResult> {
  const { lab, random, print } = components;
  const apis = new Map(lab.hosts.map((host) => [host, new Api(socketPath(lab, host))]));
  const history = new History();
  const errors = new ErrorsSeen();
  const struck = new Set<string>();
  const clients = new Clients({ apis, random, history, errors, struck });
  const results: RoundResult[] = [];
  try {
    const plan = planRounds(random, lab.hosts.length, rounds);
    await settled(apis);
    await clients.start();
    for (const [i, round] of plan.entries()) {
      const before = history.counts;
      const parts = { apis, clients, struck };
      const result = await runRound(lab, parts, round).catch((error) => {
        throw new Error(`round ${i + 1}, ${[...struck].join(' and ')} struck`, { cause: error });
      });
      results.push(result);
      print(describeRound(i + 1, round, result, since(before, history.counts)));
    }
    await clients.stop();
    const violations = await judge(apis, clients, history);
    return { rounds: results, counts: history.counts, errors: errors.lines(), violations };
  } finally {
    await clients.stop();
    for (const api of apis.values()) api.close();
  }
}

interface RoundComponents {
  readonly apis: ReadonlyMap<string, Api>;
  readonly clients: Clients;
  readonly struck: Set<string>;
}

async function runRound(
  lab: Lab,
  { apis, clients, struck }: RoundComponents,
  round: Round,
): Promise<RoundResult> {
  const leader = await settled(apis);
  await sleep(CALM_MS);
  const victims = victimsOf(round, lab.hosts, leader);
  const began = performance.now();
  for (const { host } of victims) struck.add(host);
  await Promise.all(victims.map((victim) => strike(lab, victim)));
  await sleep(round.holdMs);
  await Promise.all(victims.map((victim) => mend(lab, victim)));
  await settled(apis);
  struck.clear();
  await sleep(CALM_MS);
  const gap = longestGap(clients.acknowledgedAt, began, performance.now());
  return { victims, outageMs: Math.max(0, gap - PACE_MS) };
}

/** Everybody is well again: they must show the same, and it must be what the clients were told. */
async function judge(
  apis: ReadonlyMap<string, Api>,
  clients: Clients,
  history: History,
): Promise<string[]> {
  await settled(apis);
  for (const host of apis.keys()) await clients.readAll(host);
  const shown = await Promise.all(
    [...apis].map(async ([host, api]) => ({ host, ...(await configsAt(host, api)) })),
  );
  const [first, ...others] = shown;
  const registers = Array.from({ length: REGISTERS }, (_, i) => `reg-${i}`);
  return [
    ...others
      .filter(({ all }) => all !== first!.all)
      .map(({ host }) => `${host} shows other configs than ${first!.host}`),
    ...shown.flatMap(({ host, names }) => {
      const added = new Set(names);
      for (const name of registers) added.delete(name);
      return history.judgeAdded(host, added);
    }),
    ...history.judgeRegisters(INITIAL),
  ];
}

function describeRound(
  n: number,
  { holdMs }: Round,
  { victims, outageMs }: RoundResult,
  { ok, never, unknown }: Counts,
): string {
  const what = victims
    .map(({ host, kind, led }) => `${kind} ${host}${led ? ' (leader)' : ''}`)
    .join(' + ');
  const held = `for ${(holdMs / 1_000).toFixed(1)} s`;
  const outage = `without a leader ${(outageMs / 1_000).toFixed(2)} s`;
  const counts = `ok ${ok}, failed ${never}, unknown ${unknown}`;
  return `${String(n).padStart(3)}  ${what.padEnd(44)} ${held}  ${outage}  ${counts}`;
}

function since(before: Counts, now: Counts): Counts {
  const { ok, never, unknown } = now;
  return { ok: ok - before.ok, never: never - before.never, unknown: unknown - before.unknown };
}

function socketPath(lab: Lab, host: string): string {
  return lab.socket(host).replace('unix://', '');
}
