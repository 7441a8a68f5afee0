import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { type Context, print } from '../context.ts';
import { parseImage, repositoryOf, versionOf } from '../images/reference.ts';
import { collect } from '../options/parse.ts';
import { progressTarget, showProgress } from '../output/json-progress.ts';

/** Images as tar archives: load, save and import. */
export function addImageTransfer(parent: Command, context: Context): void {
  parent
    .command('load')
    .description('Load images from an archive that `save` made')
    .option('-i, --input <file>', 'instead of standard input')
    .option('-q, --quiet', 'no progress')
    .action((flags: { input?: string; quiet?: boolean }) => load(context, flags));
  parent
    .command('save')
    .description('Write images to an archive')
    .argument('<image...>')
    .option('-o, --output <file>', 'instead of standard output')
    .action((images: string[], flags: { output?: string }) => save(context, images, flags.output));
  parent
    .command('import')
    .description('Make an image of an archive of files')
    .argument('<file|->')
    .argument('[name[:tag]]')
    .option('-c, --change <instruction>', 'CMD, ENV, … as in a Dockerfile', collect, [])
    .option('-m, --message <text>', 'comment of the image')
    .option('--platform <os/arch>', 'platform of the image')
    .action((file: string, name: string | undefined, flags: ImportFlags) =>
      importImage(context, file, name, flags),
    );
}

interface ImportFlags {
  change: string[];
  message?: string;
  platform?: string;
}

async function load(context: Context, flags: { input?: string; quiet?: boolean }): Promise<void> {
  if (!flags.input && context.input.isTTY) {
    throw new CliError('requested load from stdin, but stdin is a terminal: use -i FILE');
  }
  const tar = flags.input ? await readable(flags.input) : context.input;
  const answer = await context.api.upload('POST', '/images/load', tar, {
    quiet: flags.quiet ? 1 : 0,
  });
  await showProgress(answer, progressTarget(context));
}

async function save(context: Context, images: readonly string[], output?: string): Promise<void> {
  if (!output && context.isTerminal) {
    throw new CliError('cowardly refusing to save to a terminal: use -o FILE, or redirect it');
  }
  const answer = await context.api.stream('GET', '/images/get', { query: { names: images } });
  if (output) await writeWhole(answer, output);
  else await pipeline(answer, context.out, { end: false });
}

/** The file is there when it is complete, and not before. */
async function writeWhole(source: Readable, path: string): Promise<void> {
  const partial = join(dirname(path), `.${basename(path)}.partial`);
  try {
    await pipeline(source, createWriteStream(partial));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw new CliError(`cannot write ${path}: ${(error as Error).message}`);
  }
}

async function importImage(
  context: Context,
  file: string,
  name: string | undefined,
  flags: ImportFlags,
): Promise<void> {
  const image = name === undefined ? undefined : parseImage(name);
  const tar = file === '-' ? context.input : await readable(file);
  const answer = await context.api.upload('POST', '/images/create', tar, {
    fromSrc: '-',
    repo: image && repositoryOf(image),
    tag: image && versionOf(image),
    message: flags.message,
    platform: flags.platform,
    changes: flags.change.length > 0 ? flags.change : undefined,
  });
  let id = '';
  await showProgress(answer, undefined, ({ status }) => {
    id = status ?? id;
  });
  print(context, id);
}

async function readable(path: string): Promise<Readable> {
  const stream = createReadStream(path);
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', (error) => reject(new CliError(`cannot read ${path}: ${error.message}`)));
  });
  return stream;
}
