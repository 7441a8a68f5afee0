import { constants } from 'node:os';
import koffi from 'koffi';
import { KernelError } from './types.ts';

/** The handful of libc functions that Node has no words for. All return -1 on failure. */
const libc = koffi.load(null);

const calls = {
  setns: libc.func('int setns(int fd, int type)'),
  unshare: libc.func('int unshare(int flags)'),
  mount: libc.func('int mount(str source, str target, str type, ulong flags, void *data)'),
  umount2: libc.func('int umount2(str target, int flags)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, void *address, uint32_t size)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  getsockname: libc.func('int getsockname(int fd, _Out_ void *address, _Inout_ uint32_t *size)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, void *value, uint32_t size)'),
  send: libc.func('intptr_t send(int fd, void *data, size_t size, int flags)'),
  recv: libc.func('intptr_t recv(int fd, _Out_ void *data, size_t size, int flags)'),
};

const ifNameToIndex = libc.func('uint32_t if_nametoindex(str name)');

export type Syscall = keyof typeof calls;

/** Calls it and throws a KernelError with the errno's name when it answers less than zero. */
export function syscall(name: Syscall, ...args: unknown[]): number {
  const result = Number((calls[name] as (...args: unknown[]) => number | bigint)(...args));
  if (result < 0) throw errnoError(koffi.errno(), name);
  return result;
}

/** The same on a thread of the pool. What failed is not known there, only that it did. */
export function syscallAsync(name: Syscall, ...args: unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    calls[name].async(...args, (error: Error | null, result: number | bigint) => {
      // Named here so that the buffers among them live until the call is over.
      const call = `${name} with ${args.length} arguments`;
      if (error) reject(error);
      else if (Number(result) < 0) reject(new KernelError('EIO', `${call} failed`));
      else resolve(Number(result));
    });
  });
}

export function interfaceIndex(name: string): number {
  const index = ifNameToIndex(name) as number;
  if (index === 0) throw new KernelError('ENODEV', `there is no device ${name}`);
  return index;
}

const namesByErrno = new Map(
  Object.entries(constants.errno).map(([name, value]) => [value as number, name]),
);

export function errnoName(errno: number): string {
  return namesByErrno.get(errno) ?? `errno ${errno}`;
}

export function errnoError(errno: number, what: string): KernelError {
  const code = errnoName(errno);
  return new KernelError(code, `${what}: ${code}`);
}
