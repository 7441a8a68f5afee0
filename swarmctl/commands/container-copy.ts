import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { parseAddress } from '../copy/address.ts';
import { copyIn } from '../copy/copy-in.ts';
import { copyOut } from '../copy/copy-out.ts';
import { humanSize } from '../output/human.ts';

interface CopyFlags {
  archive?: boolean;
  followLink?: boolean;
  quiet?: boolean;
}

export function addCopyCommand(parent: Command, context: Context): void {
  parent
    .command('cp')
    .description('Copy files between a container and this machine')
    .argument('<source>', 'CONTAINER:PATH, PATH, or - for a tar from standard input')
    .argument('<destination>', 'CONTAINER:PATH, PATH, or - for a tar to standard output')
    .option('-a, --archive', 'keep users and groups')
    .option('-L, --follow-link', 'copy what the source links to')
    .option('-q, --quiet', 'say nothing')
    .action((source: string, destination: string, flags: CopyFlags) =>
      copy(context, source, destination, flags),
    );
}

async function copy(
  context: Context,
  source: string,
  destination: string,
  flags: CopyFlags,
): Promise<void> {
  const [from, to] = [parseAddress(source), parseAddress(destination)];
  const options = { archive: flags.archive ?? false, followLink: flags.followLink ?? false };
  const say = (text: string) => {
    if (context.isTerminal && !flags.quiet) context.err.write(`Successfully copied ${text}\n`);
  };
  if (from.container !== undefined && to.container !== undefined) {
    throw new CliError('copying between containers is not supported');
  }
  if (from.container !== undefined) {
    const path = from.path.startsWith('/') ? from.path : `/${from.path}`;
    const bytes = await copyOut(context, { container: from.container, path }, to.path, options);
    if (to.path !== '-') say(`${humanSize(bytes)} to ${to.path}`);
  } else if (to.container !== undefined) {
    await copyIn(context, from.path, { container: to.container, path: to.path }, options);
    say(`${source} to ${destination}`);
  } else throw new CliError('must specify at least one container source');
}
