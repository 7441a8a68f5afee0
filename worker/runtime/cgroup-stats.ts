import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const CGROUP_ROOT = '/sys/fs/cgroup';
const NS_PER_TICK = 1e7;
const NS_PER_US = 1000;
/** What the kernel says for "no limit". */
const UNLIMITED = 2 ** 60;

/** One reading of a control group, in the terms of the Docker API. */
export interface CgroupStats {
  readonly cpu: {
    readonly totalNs: number;
    readonly kernelNs: number;
    readonly userNs: number;
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    readonly usage: number;
    readonly maxUsage: number | undefined;
    /** 0 when there is none. */
    readonly limit: number;
    readonly failures: number;
    readonly stats: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current: number; readonly limit: number };
  readonly io: readonly { major: number; minor: number; op: string; value: number }[];
}

/** Reads the groups that process `pid` is in. */
export async function cgroupStats(pid: number, version: 1 | 2): Promise<CgroupStats> {
  const groups = parseGroups(await text(`/proc/${pid}/cgroup`));
  if (version === 2) return unified(join(CGROUP_ROOT, groups.get('') ?? '/'));
  const dir = (controller: string) =>
    join(CGROUP_ROOT, controller, groups.get(controller) ?? '/nonexistent');
  return separate(dir);
}

/** How many processes of a container's group the kernel has killed for memory. */
export async function oomKills(cgroupsPath: string, version: 1 | 2): Promise<number> {
  const file = version === 2 ? 'memory.events' : 'memory.oom_control';
  const dir = version === 2 ? CGROUP_ROOT : join(CGROUP_ROOT, 'memory');
  const pairs = parsePairs(await text(join(dir, cgroupsPath, file)));
  return pairs['oom_kill'] ?? 0;
}

async function unified(dir: string): Promise<CgroupStats> {
  const file = (name: string) => text(join(dir, name));
  const [cpu, memory, events, io, ...numbers] = await Promise.all([
    file('cpu.stat').then(parsePairs),
    file('memory.stat').then(parsePairs),
    file('memory.events').then(parsePairs),
    file('io.stat'),
    file('memory.current').then(number),
    file('memory.max').then(number),
    file('pids.current').then(number),
    file('pids.max').then(number),
    file('memory.peak').then(number),
  ]);
  const [usage = 0, limit = 0, current = 0, pidsLimit = 0, peak = 0] = numbers;
  return {
    cpu: {
      totalNs: (cpu['usage_usec'] ?? 0) * NS_PER_US,
      kernelNs: (cpu['system_usec'] ?? 0) * NS_PER_US,
      userNs: (cpu['user_usec'] ?? 0) * NS_PER_US,
      periods: cpu['nr_periods'] ?? 0,
      throttledPeriods: cpu['nr_throttled'] ?? 0,
      throttledNs: (cpu['throttled_usec'] ?? 0) * NS_PER_US,
    },
    memory: {
      usage,
      maxUsage: peak || undefined,
      limit,
      failures: events['max'] ?? 0,
      stats: memory,
    },
    pids: { current, limit: pidsLimit },
    io: parseIoStat(io),
  };
}

async function separate(dir: (controller: string) => string): Promise<CgroupStats> {
  const file = (controller: string, name: string) => text(join(dir(controller), name));
  const [total, ticks, cpu, memory, io, ...numbers] = await Promise.all([
    file('cpuacct', 'cpuacct.usage').then(number),
    file('cpuacct', 'cpuacct.stat').then(parsePairs),
    file('cpu', 'cpu.stat').then(parsePairs),
    file('memory', 'memory.stat').then(parsePairs),
    file('blkio', 'blkio.throttle.io_service_bytes_recursive'),
    file('memory', 'memory.usage_in_bytes').then(number),
    file('memory', 'memory.max_usage_in_bytes').then(number),
    file('memory', 'memory.limit_in_bytes').then(number),
    file('memory', 'memory.failcnt').then(number),
    file('pids', 'pids.current').then(number),
    file('pids', 'pids.max').then(number),
  ]);
  const [usage = 0, maxUsage = 0, limit = 0, failures = 0, current = 0, pidsLimit = 0] = numbers;
  return {
    cpu: {
      totalNs: total,
      kernelNs: (ticks['system'] ?? 0) * NS_PER_TICK,
      userNs: (ticks['user'] ?? 0) * NS_PER_TICK,
      periods: cpu['nr_periods'] ?? 0,
      throttledPeriods: cpu['nr_throttled'] ?? 0,
      throttledNs: cpu['throttled_time'] ?? 0,
    },
    memory: { usage, maxUsage, limit, failures, stats: memory },
    pids: { current, limit: pidsLimit },
    io: parseBlkio(io),
  };
}

/** `4:memory:/swarm/x` lines, by controller; the unified hierarchy is ''. */
function parseGroups(content: string): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of content.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    for (const controller of (controllers as string).split(',')) groups.set(controller, path);
  }
  return groups;
}

function parsePairs(content: string): Record<string, number> {
  const pairs: Record<string, number> = {};
  for (const line of content.split('\n')) {
    const [key, value] = line.split(' ');
    if (key && value !== undefined) pairs[key] = Number(value);
  }
  return pairs;
}

/** `254:0 rbytes=1 wbytes=2 …` */
function parseIoStat(content: string): CgroupStats['io'] {
  return content.split('\n').flatMap((line) => {
    const [, major, minor, rest = ''] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    if (major === undefined) return [];
    const device = { major: Number(major), minor: Number(minor) };
    const value = (key: string) => Number(new RegExp(`${key}=(\\d+)`).exec(rest)?.[1] ?? 0);
    return [
      { ...device, op: 'read', value: value('rbytes') },
      { ...device, op: 'write', value: value('wbytes') },
    ];
  });
}

/** `254:0 Read 1` */
function parseBlkio(content: string): CgroupStats['io'] {
  return content.split('\n').flatMap((line) => {
    const [, major, minor, op = '', value] = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line) ?? [];
    if (major === undefined) return [];
    return [
      { major: Number(major), minor: Number(minor), op: op.toLowerCase(), value: Number(value) },
    ];
  });
}

function number(content: string): number {
  const value = Number(content.trim());
  return Number.isFinite(value) && value < UNLIMITED ? value : 0;
}

function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
