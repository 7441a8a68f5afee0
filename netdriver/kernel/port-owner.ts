import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { L4Protocol } from './types.ts';

const LISTEN = '0A';

/**
 * Finds who holds a port in the namespace that the thread is in: the socket's inode from /proc/net,
 * then the process that has it open. Slow, meant for error messages.
 */
export function portOwner(protocol: L4Protocol, port: number): string | undefined {
  if (protocol === 'sctp') return undefined;
  const tables = [protocol, `${protocol}6`].flatMap((name) =>
    lines(`/proc/thread-self/net/${name}`),
  );
  const inode = inodeOf(tables, protocol, port);
  if (!inode) return undefined;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (hasOpen(pid, `socket:[${inode}]`)) {
      return `${lines(`/proc/${pid}/comm`)[0] ?? 'a process'} (pid ${pid})`;
    }
  }
  return undefined;
}

/** From the rows of /proc/net/{tcp,udp}: `sl local:port remote:port state … uid timeout inode`. */
export function inodeOf(rows: string[], protocol: 'tcp' | 'udp', port: number): string | undefined {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  for (const row of rows) {
    const fields = row.trim().split(/\s+/);
    if (!fields[1]?.endsWith(`:${wanted}`)) continue;
    if (protocol === 'udp' || fields[3] === LISTEN) return fields[9];
  }
  return undefined;
}

function hasOpen(pid: string, target: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => readlinkSync(`${folder}/${fd}`) === target);
  } catch {
    return false; // The process ended meanwhile, or is not ours to look into.
  }
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
