import { SwarmError } from '../../../common/errors.ts';

/** By number, as in linux/capability.h. */
const ALL = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

/** What a container may do unless told otherwise; the set that Docker's users rely on. */
const DEFAULT = new Set(
  [
    'CHOWN',
    'DAC_OVERRIDE',
    'FSETID',
    'FOWNER',
    'MKNOD',
    'NET_RAW',
    'SETGID',
    'SETUID',
    'SETFCAP',
    'SETPCAP',
    'NET_BIND_SERVICE',
    'SYS_CHROOT',
    'KILL',
    'AUDIT_WRITE',
  ].map((name) => `CAP_${name}`),
);

/**
 * The capabilities of a container. `lastCap` is the kernel's highest number. Throws
 * SWM_INVALID_ARGUMENT for a name that does not exist.
 */
export function capabilities(init: {
  add: readonly string[];
  drop: readonly string[];
  privileged: boolean;
  lastCap: number;
}): string[] {
  const known = ALL.slice(0, init.lastCap + 1);
  if (init.privileged) return known;
  const add = init.add.map((name) => normalize(name, known));
  const drop = init.drop.map((name) => normalize(name, known));
  const base = add.includes('ALL')
    ? new Set(known)
    : drop.includes('ALL')
      ? new Set<string>()
      : new Set(DEFAULT);
  // An added capability survives "drop ALL", a dropped one "add ALL".
  if (add.includes('ALL')) for (const name of drop) base.delete(name);
  else for (const name of drop) if (!add.includes(name)) base.delete(name);
  for (const name of add) if (name !== 'ALL') base.add(name);
  return known.filter((name) => base.has(name));
}

function normalize(name: string, known: readonly string[]): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return upper;
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (known.includes(full)) return full;
  throw new SwarmError('SWM_INVALID_ARGUMENT', `invalid capability: "${name}"`);
}
