import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { errnoError, syscall } from './syscalls.ts';
import { HOST, isKernelError, KernelError, type Netns } from './types.ts';

const CLONE_NEWNET = 0x40000000;
const MS_BIND = 0x1000;
const MNT_DETACH = 2;
/** The file system that a namespace is mounted from. */
const NSFS_MAGIC = 0x6e736673;
const SELF = '/proc/thread-self/ns/net';

export interface NamespacesInit {
  /** Where names live, as for ip-netns(8). */
  directory?: string;
  /** The namespace that counts as the host's; default is the process's own. */
  host?: string;
}

/**
 * Named network namespaces. Everything here is synchronous and leaves the main thread where it was:
 * no other code of this process ever runs inside a namespace by accident.
 *
 * A name is a file on which the namespace is mounted. A file without a mount was left by a crash between
 * the two steps of creating a namespace, and counts as no namespace.
 */
export class Namespaces {
  readonly directory: string;
  readonly #host: string;
  readonly #home: number;

  constructor(init: NamespacesInit = {}) {
    this.directory = init.directory ?? '/run/netns';
    this.#host = init.host ?? '/proc/self/ns/net';
    this.#home = openSync(SELF, 'r');
    mkdirSync(this.directory, { recursive: true });
  }

  path(name: Netns): string {
    return name === HOST ? this.#host : `${this.directory}/${name}`;
  }

  names(): Netns[] {
    return readdirSync(this.directory).filter((name) => this.exists(name));
  }

  exists(name: Netns): boolean {
    return name === HOST || isNamespace(this.path(name));
  }

  create(name: Netns): void {
    const path = this.path(name);
    if (isNamespace(path)) {
      throw new KernelError('EEXIST', `the network namespace ${name} exists already`);
    }
    rmSync(path, { force: true });
    writeFileSync(path, '', { flag: 'wx', mode: 0o444 });
    try {
      syscall('unshare', CLONE_NEWNET);
      try {
        syscall('mount', SELF, path, 'none', MS_BIND, null);
      } finally {
        this.#goHome();
      }
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
  }

  remove(name: Netns): void {
    const path = this.path(name);
    try {
      syscall('umount2', path, MNT_DETACH);
    } catch (error) {
      // EINVAL: a file that nothing is mounted on.
      if (!isKernelError(error, 'ENOENT', 'EINVAL')) throw error;
    }
    rmSync(path, { force: true });
  }

  /** Runs `fn`, which must be synchronous, inside the namespace. */
  inside<T>(name: Netns, fn: () => T): T {
    const fd = this.open(name);
    try {
      return this.enter(fd, fn);
    } finally {
      closeSync(fd);
    }
  }

  /** The same for a namespace that is open already. */
  enter<T>(fd: number, fn: () => T): T {
    syscall('setns', fd, CLONE_NEWNET);
    try {
      return fn();
    } finally {
      this.#goHome();
    }
  }

  /** The caller closes the descriptor. */
  open(name: Netns): number {
    if (!this.exists(name)) {
      throw new KernelError('ENOENT', `there is no network namespace ${name}`);
    }
    try {
      return openSync(this.path(name), 'r');
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      throw errnoError(-(errno ?? 0), `opening the namespace ${name}`);
    }
  }

  close(): void {
    closeSync(this.#home);
  }

  /** A thread that cannot come back would run the whole daemon in a container's namespace. */
  #goHome(): void {
    try {
      syscall('setns', this.#home, CLONE_NEWNET);
    } catch (error) {
      console.error('cannot return to the own network namespace', error);
      process.abort();
    }
  }
}

function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
