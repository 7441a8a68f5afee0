import { readFileSync, writeFileSync } from 'node:fs';
import type { Api } from './api.ts';

export interface LoopReport {
  /** The longest time for which the event loop served nobody, and the part that was its own work. */
  readonly longestMs: number;
  readonly workMs: number;
  /** The longest pause of the garbage collector. */
  readonly gcMs: number;
  /** Processor time of all its threads, seconds: what it would take if nobody else ran. */
  readonly cpuSeconds: number;
  /** MiB. */
  readonly rssBefore: number;
  readonly rssAfter: number;
  readonly rssPeak: number;
}

const MIB = 2 ** 20;
const CPU = 'process_cpu_seconds_total';

/** Follows a daemon through its metrics, which are "since the last scrape": nobody else must scrape. */
export class LoopFigures {
  readonly #api: Api;
  readonly #pid: number;
  readonly #rssBefore: number;
  #longest = 0;
  #work = 0;
  #gc = 0;
  readonly #cpuBefore: number;
  #cpu = 0;

  private constructor(api: Api, pid: number, cpuBefore: number) {
    this.#api = api;
    this.#pid = pid;
    this.#cpuBefore = cpuBefore;
    this.#rssBefore = statusOf(pid, 'VmRSS');
  }

  /** From now on. */
  static async begin(api: Api, pid: number): Promise<LoopFigures> {
    const samples = parse(await api.call<string>('GET', '/metrics'));
    // Has the kernel forget the highest so far.
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
    return new LoopFigures(api, pid, samples.get(CPU) ?? 0);
  }

  /** With what was before, if nobody asked yet. */
  static since(api: Api, pid: number): LoopFigures {
    return new LoopFigures(api, pid, 0);
  }

  /** The value of one sample now; 0 when there is none. */
  async sample(name: string): Promise<number> {
    return (await this.#scrape()).get(name) ?? 0;
  }

  async end(): Promise<LoopReport> {
    await this.#scrape();
    return {
      longestMs: this.#longest * 1000,
      workMs: this.#work * 1000,
      gcMs: this.#gc * 1000,
      cpuSeconds: this.#cpu - this.#cpuBefore,
      rssBefore: this.#rssBefore,
      rssAfter: statusOf(this.#pid, 'VmRSS'),
      rssPeak: statusOf(this.#pid, 'VmHWM'),
    };
  }

  async #scrape(): Promise<Map<string, number>> {
    const samples = parse(await this.#api.call<string>('GET', '/metrics'));
    this.#cpu = samples.get(CPU) ?? 0;
    const max = (before: number, name: string) => Math.max(before, samples.get(name) ?? 0);
    this.#longest = max(this.#longest, 'swarm_event_loop_delay_max_seconds');
    this.#work = max(this.#work, 'swarm_event_loop_work_max_seconds');
    this.#gc = max(this.#gc, 'swarm_gc_pause_max_seconds');
    return samples;
  }
}

function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    samples.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return samples;
}

/** MiB. */
function statusOf(pid: number, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / MIB;
  } catch {
    return 0;
  }
}
