import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { cgroupStats } from '../runtime/cgroup-stats.ts';
import { formatNanos } from '../runtime/io/log-format.ts';
import { sandboxMode } from './network-plan.ts';
import { type ContainerRecord, isActive } from './record.ts';

const NS_PER_TICK = 1e7;
const NEVER = '0001-01-01T00:00:00Z';

/** One sample of GET /containers/{id}/stats, without the previous sample's share. */
export async function statsSample(
  record: ContainerRecord,
  world: { readonly cgroupVersion: 1 | 2; readonly now: number },
): Promise<Record<string, unknown>> {
  const head = { name: `/${record.name}`, id: record.id, num_procs: 0, storage_stats: {} };
  const { pid } = record.state;
  if (!isActive(record) || pid === 0) {
    return {
      ...head,
      read: NEVER,
      pids_stats: {},
      blkio_stats: {},
      cpu_stats: {},
      memory_stats: {},
    };
  }
  const [group, system, networks] = await Promise.all([
    cgroupStats(pid, world.cgroupVersion),
    systemCpu(),
    sandboxMode(record.hostConfig) === 'container' ? networkCounters(pid) : undefined,
  ]);
  const { cpu, io, memory, pids } = group;
  return {
    ...head,
    read: formatNanos(world.now),
    pids_stats: { current: pids.current, ...(pids.limit > 0 ? { limit: pids.limit } : {}) },
    blkio_stats: { io_service_bytes_recursive: io.length > 0 ? io : null },
    cpu_stats: {
      cpu_usage: {
        total_usage: cpu.totalNs,
        usage_in_kernelmode: cpu.kernelNs,
        usage_in_usermode: cpu.userNs,
      },
      system_cpu_usage: system,
      online_cpus: availableParallelism(),
      throttling_data: {
        periods: cpu.periods,
        throttled_periods: cpu.throttledPeriods,
        throttled_time: cpu.throttledNs,
      },
    },
    memory_stats: {
      usage: memory.usage,
      ...(memory.maxUsage === undefined ? {} : { max_usage: memory.maxUsage }),
      ...(memory.failures > 0 ? { failcnt: memory.failures } : {}),
      stats: memory.stats,
      limit: memory.limit || totalmem(),
    },
    ...(networks ? { networks } : {}),
  };
}

/** All CPUs' time, idle included, in nanoseconds. */
async function systemCpu(): Promise<number> {
  const stat = await readFile('/proc/stat', 'utf8');
  const [first = ''] = stat.split('\n', 1);
  // user nice system idle iowait irq softirq steal; what guests use is in user already.
  const ticks = first.split(/\s+/).slice(1, 9).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) * NS_PER_TICK;
}

async function networkCounters(
  pid: number,
): Promise<Record<string, Record<string, number>> | undefined> {
  const content = await readFile(`/proc/${pid}/net/dev`, 'utf8').catch(() => '');
  const counters: Record<string, Record<string, number>> = {};
  for (const line of content.split('\n').slice(2)) {
    const [, name, rest = ''] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (!name || name === 'lo') continue;
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0, , , , , ...tx] = rest
      .split(/\s+/)
      .map(Number);
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = tx;
    counters[name] = {
      rx_bytes: rxBytes,
      rx_packets: rxPackets,
      rx_errors: rxErrors,
      rx_dropped: rxDropped,
      tx_bytes: txBytes,
      tx_packets: txPackets,
      tx_errors: txErrors,
      tx_dropped: txDropped,
    };
  }
  return Object.keys(counters).length > 0 ? counters : undefined;
}
