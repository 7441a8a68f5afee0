import type { Lab } from './lab.ts';
import type { FaultKind, Victim } from './plan.ts';

const VERBS: Record<FaultKind, readonly [strike: string, mend: string]> = {
  kill: ['kill', 'restart'],
  freeze: ['freeze', 'thaw'],
  partition: ['partition', 'heal'],
};

/** Resolves when the fault is there. */
export async function strike(lab: Lab, { host, kind }: Victim): Promise<void> {
  await lab.verb(VERBS[kind][0], host);
}

/** Resolves when it is gone; what the swarm makes of that takes longer. */
export async function mend(lab: Lab, { host, kind }: Victim): Promise<void> {
  await lab.verb(VERBS[kind][1], host);
}
