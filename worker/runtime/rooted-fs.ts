import { closeSync, constants, openSync } from 'node:fs';
import { posix } from 'node:path';
import { openInRoot } from './libc.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const O_PATH = 0o10000000;

/** The last part of a path, and the directory that it is in, held open. */
export interface Place {
  /** A path on the host for any call that does not follow links. */
  readonly path: string;
  readonly name: string;
  close(): void;
}

/**
 * A root file system whose owner is not trusted. Every path is resolved inside of it by the kernel;
 * directories are held by descriptor, so that nothing can be exchanged between look and use.
 */
export class RootedFs {
  readonly #root: number;

  constructor(init: { path: string }) {
    this.#root = openSync(init.path, O_RDONLY | O_DIRECTORY);
  }

  close(): void {
    closeSync(this.#root);
  }

  /** `path` itself, a link included. A trailing slash or dot follows it. */
  place(path: string): Place {
    const clean = posix.normalize(`/${path}`).replace(/(.)\/$/, '$1');
    const follows = /(\/|\/\.)$/.test(path) || clean === '/';
    const name = posix.basename(clean);
    if (follows) return held(openInRoot(this.#root, clean, O_PATH), '.', name);
    const parent = openInRoot(this.#root, posix.dirname(clean), O_PATH | O_DIRECTORY);
    return held(parent, name, name);
  }

  /** A directory, links followed. */
  directory(path: string): Place {
    const fd = openInRoot(this.#root, posix.normalize(`/${path}`), O_PATH | O_DIRECTORY);
    return held(fd, '.', posix.basename(path));
  }
}

/** Opens a child of a held directory without following a link. */
export function openChild(path: string, flags: number): number {
  return openSync(path, flags | O_NOFOLLOW);
}

/** A directory that is one component below a held one. */
export function holdDirectory(path: string): Place {
  return held(openChild(path, O_RDONLY | O_DIRECTORY), '.', posix.basename(path));
}

function held(fd: number, name: string, shown: string): Place {
  const base = `/proc/self/fd/${fd}`;
  return {
    path: name === '.' ? `${base}/.` : `${base}/${name}`,
    name: shown,
    close: () => closeSync(fd),
  };
}
