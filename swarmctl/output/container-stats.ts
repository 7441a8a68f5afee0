import { binarySize, humanSize } from './human.ts';
import type { Column } from './list.ts';

/** What is read of GET /containers/{id}/stats. */
export interface StatsSample {
  readonly read?: string;
  readonly cpu_stats?: CpuStats;
  readonly precpu_stats?: CpuStats;
  readonly memory_stats?: {
    readonly usage?: number;
    readonly limit?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly networks?: Readonly<Record<string, { rx_bytes: number; tx_bytes: number }>>;
  readonly blkio_stats?: {
    readonly io_service_bytes_recursive?: readonly { op: string; value: number }[] | null;
  };
  readonly pids_stats?: { readonly current?: number };
}

interface CpuStats {
  readonly cpu_usage: { readonly total_usage: number; readonly percpu_usage?: number[] | null };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

export interface StatsRow {
  readonly id: string;
  readonly name: string;
  /** Undefined while nothing is known: the container does not run. */
  readonly sample: StatsSample | undefined;
}

const ID_LENGTH = 12;

export function statsColumns(trunc: boolean): Column<StatsRow>[] {
  const known = (show: (sample: StatsSample) => string) => (row: StatsRow) =>
    row.sample ? show(row.sample) : '--';
  const id = (row: StatsRow) => (trunc ? row.id.slice(0, ID_LENGTH) : row.id);
  return [
    { key: 'ID', header: 'CONTAINER ID', value: id },
    { key: 'Container', header: 'CONTAINER', value: id, hidden: true },
    { key: 'Name', header: 'NAME', value: ({ name }) => name },
    { key: 'CPUPerc', header: 'CPU %', value: known((s) => percent(cpuPercent(s))) },
    {
      key: 'MemUsage',
      header: 'MEM USAGE / LIMIT',
      value: known((s) => `${binarySize(memoryOf(s))} / ${binarySize(s.memory_stats?.limit ?? 0)}`),
    },
    { key: 'MemPerc', header: 'MEM %', value: known((s) => percent(memoryPercent(s))) },
    { key: 'NetIO', header: 'NET I/O', value: known((s) => pair(networkBytes(s))) },
    { key: 'BlockIO', header: 'BLOCK I/O', value: known((s) => pair(blockBytes(s))) },
    { key: 'PIDs', header: 'PIDS', value: known((s) => String(s.pids_stats?.current ?? 0)) },
  ];
}

/** Share of one CPU between the two readings of a sample; all of two CPUs is 200. */
export function cpuPercent({ cpu_stats: now, precpu_stats: before }: StatsSample): number {
  if (!now || !before?.system_cpu_usage) return 0;
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (now.system_cpu_usage ?? 0) - before.system_cpu_usage;
  if (used <= 0 || passed <= 0) return 0;
  const cpus = now.online_cpus || now.cpu_usage.percpu_usage?.length || 1;
  return (used / passed) * cpus * 100;
}

/** Without the file cache that the kernel can drop at any time; its name depends on the cgroup. */
export function memoryOf({ memory_stats: memory }: StatsSample): number {
  const usage = memory?.usage ?? 0;
  const cache = memory?.stats?.['total_inactive_file'] ?? memory?.stats?.['inactive_file'] ?? 0;
  return cache < usage ? usage - cache : usage;
}

function memoryPercent(sample: StatsSample): number {
  const limit = sample.memory_stats?.limit ?? 0;
  return limit > 0 ? (memoryOf(sample) / limit) * 100 : 0;
}

function networkBytes({ networks }: StatsSample): [number, number] {
  const all = Object.values(networks ?? {});
  const sum = (key: 'rx_bytes' | 'tx_bytes') => all.reduce((total, one) => total + one[key], 0);
  return [sum('rx_bytes'), sum('tx_bytes')];
}

function blockBytes({ blkio_stats }: StatsSample): [number, number] {
  const entries = blkio_stats?.io_service_bytes_recursive ?? [];
  const sum = (wanted: string) =>
    entries
      .filter(({ op }) => op.toLowerCase() === wanted)
      .reduce((total, { value }) => total + value, 0);
  return [sum('read'), sum('write')];
}

function pair([a, b]: [number, number]): string {
  return `${humanSize(a)} / ${humanSize(b)}`;
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}
