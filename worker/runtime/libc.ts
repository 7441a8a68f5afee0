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

const program = koffi.load(null as unknown as string);
const mkfifoCall = program.func('int mkfifo(const char *path, uint32_t mode)');
const mountCall = program.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const umountCall = program.func('int umount2(const char *target, int flags)');
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
  const errno = koffi.errno();
  const name = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? errno;
  throw new SwarmError('SWM_INTERNAL', `${call} ${path}: ${name}`);
}
