import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CliError } from '../cli-error.ts';
import { containerPath } from '../container/paths.ts';
import type { Context } from '../context.ts';
import { meansContent, meansDirectory } from './address.ts';
import { followLink, isDirectory, type PathStat, statOf } from './container-path.ts';
import { unpackTree } from './unpack-tree.ts';

export interface CopyOptions {
  readonly archive: boolean;
  readonly followLink: boolean;
}

/** From a container to this machine, or as a tar to standard output. Returns the bytes of files. */
export async function copyOut(
  context: Context,
  from: { readonly container: string; readonly path: string },
  to: string,
  options: CopyOptions,
): Promise<number> {
  const path = options.followLink
    ? (await followLink(context, from.container, from.path)).path
    : from.path;
  if (to === '-' && context.isTerminal) {
    throw new CliError('refusing to write an archive to a terminal: redirect it');
  }
  const url = containerPath(from.container, 'archive');
  const answer = await context.api.stream('GET', url, { query: { path } });
  if (to === '-') {
    await pipeline(answer, context.out, { end: false });
    return 0;
  }
  // A link that was followed keeps the name it was asked for by.
  const name = options.followLink ? basename(from.path) : basename(path);
  const target = await placeFor(statOf(answer), { ...from, name }, to);
  return unpackTree(answer, target, { keepOwner: options.archive });
}

/** Where the thing itself goes: into a directory that exists, else under the name that is given. */
async function placeFor(
  source: PathStat,
  from: { readonly path: string; readonly name: string },
  to: string,
): Promise<string> {
  const there = await stat(to).catch(() => undefined);
  if (there?.isDirectory()) {
    const whole = !meansContent(from.path) && from.name !== '';
    return whole ? join(to, from.name) : to;
  }
  if (there && isDirectory(source)) {
    throw new CliError(`cannot copy a directory over the file ${to}`);
  }
  if (there) return to;
  if (!isDirectory(source) && meansDirectory(to)) {
    throw new CliError(`the destination directory ${to} does not exist`);
  }
  const parent = dirname(to);
  if ((await stat(parent).catch(() => undefined))?.isDirectory()) return to;
  throw new CliError(`invalid output path: directory ${parent} does not exist`);
}
