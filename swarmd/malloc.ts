import koffi from 'koffi';

/** M_ARENA_MAX of glibc's malloc.h. */
const ARENA_MAX = -8;
const ARENAS = 2;

/**
 * Has the threads of this process share few arenas of memory. By default glibc gives one to almost each, and a
 * daemon at rest would keep 4 MiB more than it needs. To be called before there are threads; other C
 * libraries know no arenas, and are left alone.
 */
export function limitArenas(): void {
  try {
    koffi.load('libc.so.6').func('int mallopt(int, int)')(ARENA_MAX, ARENAS);
  } catch {
    // It is not glibc.
  }
}
