import { readdirSync, readFileSync } from 'node:fs';

type Matches = (args: readonly string[]) => boolean;

/** The lowest id of a process whose arguments satisfy `matches`; throws when there is none. */
export function findProcess(what: string, matches: Matches): number {
  const [found] = findProcesses(matches);
  if (found === undefined) throw new Error(`no process runs ${what}`);
  return found;
}

export function findProcesses(matches: Matches): number[] {
  const ids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return ids.sort((a, b) => a - b).filter((pid) => matches(argumentsOf(pid)));
}

/** Milliseconds since the epoch, to a hundredth of a second. */
export function startedAt(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  return Date.now() - uptime * 1000 + ticks * 10;
}

/** MiB: `rss` counts shared pages whole, `pss` by share. */
export function memoryOf(pid: number): { rss: number; pss: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (name: string) => {
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1024;
  };
  return { rss: mib('Rss'), pss: mib('Pss') };
}

/** A process and all that it started and are still there. */
export function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

function childrenOf(pid: number): number[] {
  const threads = `/proc/${pid}/task`;
  try {
    return readdirSync(threads).flatMap((thread) =>
      readFileSync(`${threads}/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return []; // It is gone.
  }
}

export function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return []; // It is gone.
  }
}
