import { upOurs } from './ours.ts';
import { noPeer, upPeer } from './peer.ts';
import { type Figure, type Measured, print } from './report.ts';
import type { SwarmUnderTest } from './swarm.ts';

export interface Comparison {
  readonly title: string;
  /** Of three hosts; the others are workers. */
  readonly managers: number;
  readonly measure: (swarm: SwarmUnderTest) => Promise<Figure[]>;
  /** Why the peer cannot do this here. */
  readonly peerCannot?: string | undefined;
  /** What else is measured in the same run. */
  readonly others?: readonly (() => Promise<Measured>)[];
}

const HOSTS = 3;

/** Measures ours and the peer, one after the other on the same machine, and prints both. */
export async function compare(comparison: Comparison): Promise<void> {
  const { title, managers } = comparison;
  const measured = [await measureOn(() => upOurs(managers, HOSTS - managers), comparison)];
  const without = noPeer ?? comparison.peerCannot;
  if (without) console.log(without);
  else measured.push(await measureOn(() => upPeer(managers), comparison));
  for (const measure of comparison.others ?? []) measured.push(await measure());
  print(title, measured);
}

async function measureOn(
  up: () => Promise<SwarmUnderTest>,
  { measure }: Comparison,
): Promise<Measured> {
  const swarm = await up();
  const stop = () => {
    swarm.down().finally(() => process.exit(130));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return { name: swarm.name, figures: await measure(swarm) };
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    await swarm.down();
  }
}
