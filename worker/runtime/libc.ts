import koffi from 'koffi';
import { SwarmError } from '../../common/errors.ts';

/**
 * The few system calls that Node does not offer. A call takes microseconds where a spawned program
 * takes milliseconds, and none of these waits for a device.
 */

export const MountFlag = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  bind: 4096,
  recursive: 16384,
  private: 1 << 18,
} as const;

const UMOUNT_DETACH = 2;
const F_SETPIPE_SZ = 1031;
/** The same on every architecture. */
const SYS_OPENAT2 = 437;
const OPEN_HOW_BYTES = 24;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;

const program = koffi.load(null as unknown as string);
const mkfifoCall = program.func('int mkfifo(const char *path, uint32_t mode)');
const mountCall = program.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const umountCall = program.func('int umount2(const char *target, int flags)');
const mknodCall = program.func('int mknod(const char *path, uint32_t mode, uint64_t device)');
const syscall = program.func('long syscall(long number, ...)');
const fcntlCall = program.func('int fcntl(int fd, int command, ...)');

export function mkfifo(path: string, mode: number): void {
  check('mkfifo', path, mkfifoCall(path, mode));
}

export function mount(
  source: string,
  target: string,
  type: string,
  flags: number,
  data: string,
): void {
  check('mount', target, mountCall(source, target, type, flags, data));
}

export function mknod(path: string, mode: number, device: { major: number; minor: number }): void {
  const { major, minor } = device;
  const low = BigInt(minor & 0xff) | (BigInt(major & 0xfff) << 8n);
  const high = (BigInt(minor) & ~0xffn) << 12n;
  check('mknod', path, mknodCall(path, mode, low | high));
}

/**
 * Opens `path` below the directory `root` as if that were the root of the file system: neither links
 * nor ".." lead out of it, whoever changes them meanwhile (openat2 with RESOLVE_IN_ROOT, Linux 5.6).
 * Throws an error with a `code` such as ENOENT.
 */
export function openInRoot(root: number, path: string, flags: number): number {
  const how = Buffer.alloc(OPEN_HOW_BYTES);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16);
  const size = ['size_t', OPEN_HOW_BYTES];
  const fd = Number(syscall(SYS_OPENAT2, 'int', root, 'str', path, 'void *', how, ...size));
  if (fd >= 0) return fd;
  const code = errnoName();
  throw Object.assign(new Error(`${code}: open ${path}`), { code });
}

/** Lazily, so that a process that still looks at it cannot make it fail. */
export function unmount(target: string): void {
  check('umount', target, umountCall(target, UMOUNT_DETACH));
}

/** Enlarges a pipe's buffer as far as the system allows; a smaller one works too. */
export function setPipeSize(fd: number, bytes: number): void {
  fcntlCall(fd, F_SETPIPE_SZ, 'int', bytes);
}

function check(call: string, path: string, result: number): void {
  if (result === 0) return;
  throw new SwarmError('SWM_INTERNAL', `${call} ${path}: ${errnoName()}`);
}

function errnoName(): string {
  const errno = koffi.errno();
  const known = Object.entries(koffi.os.errno).find(([, value]) => value === errno);
  return known?.[0] ?? String(errno);
}
