import type { IncomingMessage } from 'node:http';
import { posix } from 'node:path';
import { ApiError } from '../client.ts';
import { containerPath } from '../container/paths.ts';
import type { Context } from '../context.ts';

/** Go's bits of a file's type, which the API tells. */
const GO_DIR = 2 ** 31;
const GO_SYMLINK = 2 ** 27;

export interface PathStat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly linkTarget: string;
}

export function isDirectory({ mode }: PathStat): boolean {
  return Math.floor(mode / GO_DIR) % 2 === 1;
}

function isSymlink({ mode }: PathStat): boolean {
  return Math.floor(mode / GO_SYMLINK) % 2 === 1;
}

/** Undefined when there is nothing at the path. Throws when there is no container. */
export async function statPath(
  context: Context,
  container: string,
  path: string,
): Promise<PathStat | undefined> {
  try {
    const url = containerPath(container, 'archive');
    const answer = await context.api.stream('HEAD', url, { query: { path } });
    answer.resume();
    return statOf(answer);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    // An answer to HEAD has no message: this says which of the two is missing.
    await context.api.get(containerPath(container, 'json'));
    return undefined;
  }
}

/** Where a link leads in the end, and what is there; other paths as they are. */
export async function followLink(
  context: Context,
  container: string,
  path: string,
): Promise<{ path: string; stat: PathStat | undefined }> {
  const stat = await statPath(context, container, path);
  if (!stat || !isSymlink(stat)) return { path, stat };
  const target = posix.resolve(posix.dirname(path), stat.linkTarget);
  return { path: target, stat: await statPath(context, container, target) };
}

/** From the header of an answer about an archive. */
export function statOf(answer: IncomingMessage): PathStat {
  const header = String(answer.headers['x-docker-container-path-stat'] ?? '');
  return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as PathStat;
}
