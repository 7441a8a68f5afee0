import type { Stats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { basename, posix, resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import { containerPath } from '../container/paths.ts';
import type { Context } from '../context.ts';
import { meansContent, meansDirectory } from './address.ts';
import { followLink, isDirectory } from './container-path.ts';
import type { CopyOptions } from './copy-out.ts';
import { packTree } from './pack-tree.ts';

/** From this machine, or a tar from standard input, to a container. */
export async function copyIn(
  context: Context,
  from: string,
  to: { readonly container: string; readonly path: string },
  options: CopyOptions,
): Promise<void> {
  const { path, stat: there } = await followLink(context, to.container, absolute(to.path));
  const put = (directory: string, body: NodeJS.ReadableStream) =>
    upload(context, to.container, directory, body, options);
  if (from === '-') {
    if (there && isDirectory(there)) return put(path, context.input);
    throw new CliError(`destination "${to.container}:${to.path}" must be a directory`);
  }
  const source = await statLocal(from, options.followLink);
  const place = placeFor(source, from, { path, isThere: there !== undefined, given: to.path }, () =>
    Boolean(there && isDirectory(there)),
  );
  const tree = packTree(from, {
    name: place.name,
    followLink: options.followLink || meansDirectory(from),
    keepOwner: options.archive,
  });
  await put(place.directory, tree);
}

interface Place {
  readonly directory: string;
  /** Of the thing itself in there; '.' is the directory. */
  readonly name: string;
}

function placeFor(
  source: Stats,
  from: string,
  to: { readonly path: string; readonly isThere: boolean; readonly given: string },
  isDirectoryThere: () => boolean,
): Place {
  if (isDirectoryThere()) {
    return { directory: to.path, name: meansContent(from) ? '.' : basename(resolve(from)) };
  }
  if (to.isThere && source.isDirectory()) {
    throw new CliError(`cannot copy a directory over the file ${to.given}`);
  }
  if (!source.isDirectory() && meansDirectory(to.given)) {
    throw new CliError(`the destination directory ${to.given} does not exist`);
  }
  return { directory: posix.dirname(to.path), name: posix.basename(to.path) };
}

async function statLocal(path: string, follow: boolean): Promise<Stats> {
  const stats = follow || meansDirectory(path) ? stat(path) : lstat(path);
  return stats.catch((error: NodeJS.ErrnoException) => {
    throw new CliError(
      error.code === 'ENOENT' ? `${path}: no such file or directory` : error.message,
    );
  });
}

async function upload(
  context: Context,
  container: string,
  directory: string,
  body: NodeJS.ReadableStream,
  options: CopyOptions,
): Promise<void> {
  const answer = await context.api.upload(
    'PUT',
    containerPath(container, 'archive'),
    body as Parameters<typeof context.api.upload>[2],
    {
      path: directory,
      noOverwriteDirNonDir: true,
      copyUIDGID: options.archive ? 'true' : undefined,
    },
  );
  answer.resume();
}

/** Paths in containers start at the root. */
function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}
