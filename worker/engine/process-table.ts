import { readFile } from 'node:fs/promises';

const TICKS_PER_SECOND = 100;

/** What `ps -ef` says of these processes. */
export async function processTable(
  pids: readonly number[],
): Promise<{ Titles: string[]; Processes: string[][] }> {
  const [passwd, stat, uptime] = await Promise.all([
    readFile('/etc/passwd', 'utf8').catch(() => ''),
    readFile('/proc/stat', 'utf8'),
    readFile('/proc/uptime', 'utf8'),
  ]);
  const names = new Map(
    passwd.split('\n').map((line) => {
      const [name = '', , uid = ''] = line.split(':');
      return [uid, name] as const;
    }),
  );
  const bootTime = Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0);
  const now = { bootTime, uptime: Number.parseFloat(uptime), names };
  const rows = await Promise.all(pids.map((pid) => processRow(pid, now)));
  return {
    Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
    Processes: rows.filter((row) => row !== undefined),
  };
}

/** Undefined for a process that has ended meanwhile. */
async function processRow(
  pid: number,
  now: { bootTime: number; uptime: number; names: ReadonlyMap<string, string> },
): Promise<string[] | undefined> {
  try {
    const [stat, status, cmdline] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    // The command's name is in brackets and may have brackets and spaces in it.
    const close = stat.lastIndexOf(')');
    const fields = stat.slice(close + 2).split(' ');
    const field = (number: number) => fields[number - 3] ?? '0';
    const command = cmdline.split('\0').filter(Boolean).join(' ');
    const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1] ?? '0';
    const seconds = (Number(field(14)) + Number(field(15))) / TICKS_PER_SECOND;
    const startedAfterBoot = Number(field(22)) / TICKS_PER_SECOND;
    const lifetime = Math.max(1, now.uptime - startedAfterBoot);
    return [
      now.names.get(uid) ?? uid,
      String(pid),
      field(4),
      String(Math.min(99, Math.floor((100 * seconds) / lifetime))),
      clockTime(new Date((now.bootTime + startedAfterBoot) * 1000)),
      terminalName(Number(field(7))),
      duration(seconds),
      command || `[${stat.slice(stat.indexOf('(') + 1, close)}]`,
    ];
  } catch {
    return undefined;
  }
}

const two = (value: number): string => String(value).padStart(2, '0');

const clockTime = (time: Date): string => `${two(time.getHours())}:${two(time.getMinutes())}`;

function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  return [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60].map(two).join(':');
}

/** The terminals of containers are pseudo-terminals: majors 136 to 143. */
function terminalName(device: number): string {
  if (device === 0) return '?';
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  return major >= 136 && major <= 143 ? `pts/${(major - 136) * 256 + minor}` : `${major},${minor}`;
}
