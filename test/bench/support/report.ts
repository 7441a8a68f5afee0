import { cpus, loadavg, release } from 'node:os';
import Table from 'cli-table3';

/** One quantity, measured once or more often. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly samples: readonly number[];
  readonly better: 'lower' | 'higher';
  readonly target?: string;
}

export interface Measured {
  readonly name: string;
  readonly figures: readonly Figure[];
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** A table with a row per figure and a column for each that was measured, ours first. */
export function print(title: string, [ours, ...others]: readonly Measured[]): void {
  if (!ours) return;
  const head = ['', 'target', ...[ours, ...others].map(({ name }) => name), 'ratio'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const figure of ours.figures) {
    const theirs = others.map(({ figures }) => figures.find(({ what }) => what === figure.what));
    table.push([
      `${figure.what} (${figure.unit})`,
      figure.target ?? '',
      show(figure),
      ...theirs.map((other) => (other ? show(other) : '–')),
      theirs[0] ? ratioOf(figure, theirs[0]) : '',
    ]);
  }
  console.log(`\n${title}\n${table}\n${machine()}\n`);
}

/** How many times better ours is. */
function ratioOf(ours: Figure, theirs: Figure): string {
  const quotient = median(theirs.samples) / median(ours.samples);
  const ratio = ours.better === 'lower' ? quotient : 1 / quotient;
  return Number.isFinite(ratio) ? `× ${ratio.toFixed(1)}` : '';
}

function show({ samples }: Figure): string {
  const middle = format(median(samples));
  if (samples.length === 1) return middle;
  return `${middle} (${format(Math.min(...samples))}–${format(Math.max(...samples))}, n=${samples.length})`;
}

function format(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function machine(): string {
  const [cpu] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  return `median (lowest–highest); ${cpus().length} × ${cpu?.model.trim()}, Linux ${release()}, Node ${process.version}, load ${load}`;
}
