import { cpus, loadavg } from 'node:os';

/** `the core alone: 123,456 entries/s, target ≥ 20,000: reached` */
export function verdict(what: string, rate: number, target: number): string {
  const [found, wanted] = [rate, target].map((each) => Math.round(each).toLocaleString('en'));
  return `${what}: ${found} entries/s, target ≥ ${wanted}: ${rate >= target ? 'reached' : 'MISSED'}`;
}

/**
 * To be asked before the bench begins: what else keeps the processors busy, if that is enough to make its
 * figures too low.
 */
export function busyNote(): string | undefined {
  const load = loadavg()[0] ?? 0;
  const { length } = cpus();
  if (load < length / 2) return undefined;
  return (
    `The machine was busy with other work already (load ${load.toFixed(1)} on ${length} processors): ` +
    'by the clock these figures are too low.'
  );
}
