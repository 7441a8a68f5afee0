import type { Command } from 'commander';
import { filtersQuery } from '../client.ts';
import { type Context, print } from '../context.ts';
import { ask } from '../options/ask.ts';
import { collect } from '../options/parse.ts';
import { humanSize } from '../output/human.ts';

export interface PruneFlags {
  readonly all?: boolean;
  readonly filter: readonly string[];
  readonly force?: boolean;
}

export interface PruneInit<T> {
  readonly path: string;
  readonly description: string;
  /** What --all means; without it there is no such option. */
  readonly all?: string;
  readonly warning: (flags: PruneFlags) => string;
  /** Filters that the options stand for. */
  readonly filters?: (flags: PruneFlags) => string[];
  /** What is printed of the answer, by lines. */
  readonly report: (answer: T) => readonly string[];
}

/** `prune`: says what it will do, and asks first. */
export function addPrune<T>(parent: Command, context: Context, init: PruneInit<T>): void {
  const command = parent
    .command('prune')
    .description(init.description)
    .option('--filter <key=value>', 'label=…, until=…', collect, [])
    .option('-f, --force', 'do not ask');
  if (init.all) command.option('-a, --all', init.all);
  command.action(async (flags: PruneFlags) => {
    if (!flags.force && !(await confirm(context, `WARNING! ${init.warning(flags)}`))) return;
    const filters = [...(init.filters?.(flags) ?? []), ...flags.filter];
    const answer = await context.api.post<T>(init.path, { query: filtersQuery(filters) });
    for (const line of init.report(answer)) print(context, line);
  });
}

export function reclaimed(bytes: number): string {
  return `Total reclaimed space: ${humanSize(bytes)}`;
}

/** Anything but y or yes is no. */
async function confirm(context: Context, warning: string): Promise<boolean> {
  context.out.write(`${warning}\n`);
  const answer = await ask(context, 'Are you sure you want to continue? [y/N] ');
  return /^y(es)?$/i.test(answer.trim());
}
