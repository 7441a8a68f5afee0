import type { Progress } from '../../engine/types.ts';

const STEP_MS = 100;
const BAR_WIDTH = 50;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Prints one layer's progress as Docker does, at most ten times a second. */
export class LayerProgress {
  readonly #id: string;
  readonly #total: number;
  readonly #progress: Progress;
  readonly #now: () => number;
  #last = Number.NEGATIVE_INFINITY;

  constructor(
    components: { progress: Progress; now: () => number },
    init: { digest: string; total: number },
  ) {
    this.#progress = components.progress;
    this.#now = components.now;
    this.#id = init.digest.replace('sha256:', '').slice(0, 12);
    this.#total = init.total;
  }

  status(status: string): void {
    this.#progress({ status, progressDetail: {}, id: this.#id });
  }

  downloading(current: number): void {
    const now = this.#now();
    if (now - this.#last < STEP_MS) return;
    this.#last = now;
    this.#progress({
      status: 'Downloading',
      progressDetail: { current, total: this.#total },
      progress: progressBar(current, this.#total),
      id: this.#id,
    });
  }
}

/** `[=====>    ]  1.2MB/3.4MB` */
export function progressBar(current: number, total: number): string {
  const filled = total > 0 ? Math.min(BAR_WIDTH, Math.floor((current / total) * BAR_WIDTH)) : 0;
  const arrow = filled < BAR_WIDTH ? `${'='.repeat(filled)}>` : '='.repeat(BAR_WIDTH);
  const bar = `${arrow}${' '.repeat(Math.max(0, BAR_WIDTH - filled - 1))}`;
  return `[${bar}] ${humanSize(current).padStart(7)}/${humanSize(total)}`;
}

/** Four significant digits at most, in powers of 1000. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${UNITS[unit]}`;
}
