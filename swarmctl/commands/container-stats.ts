import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { ApiError } from '../client.ts';
import { inspectContainer } from '../container/inspect.ts';
import { containerPath } from '../container/paths.ts';
import type { Context } from '../context.ts';
import { type StatsRow, type StatsSample, statsColumns } from '../output/container-stats.ts';
import { printList } from '../output/list.ts';

interface StatsFlags {
  all?: boolean;
  format?: string;
  /** `false` with --no-stream. */
  stream: boolean;
  trunc: boolean;
}

interface Named {
  readonly id: string;
  readonly name: string;
}

const INTERVAL_MS = 1_000;
const CLEAR_SCREEN = '\x1b[H\x1b[2J';

export function addStatsCommand(parent: Command, context: Context): void {
  parent
    .command('stats')
    .description('Show what containers use, again and again')
    .argument('[container...]')
    .option('-a, --all', 'also those that do not run')
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('--no-stream', 'once')
    .option('--no-trunc', 'whole ids')
    .action((names: string[], flags: StatsFlags) => stats(context, names, flags));
}

async function stats(context: Context, names: readonly string[], flags: StatsFlags): Promise<void> {
  const columns = statsColumns(flags.trunc);
  const id = ({ id }: Named) => id;
  const show = (rows: readonly StatsRow[]) => printList(context, rows, columns, flags, id);
  if (!flags.stream) {
    const containers = await select(context, names, flags);
    return show(await Promise.all(containers.map((one) => measure(context, one, { stream: 0 }))));
  }
  const rates = new Rates();
  for (;;) {
    const containers = await select(context, names, flags);
    const rows = await Promise.all(
      containers.map((one) => measure(context, one, { stream: 0, 'one-shot': 1 })),
    );
    if (context.isTerminal && !flags.format) context.out.write(CLEAR_SCREEN);
    show(rows.map((row) => rates.apply(row)));
    await delay(INTERVAL_MS);
  }
}

async function select(
  context: Context,
  names: readonly string[],
  flags: StatsFlags,
): Promise<Named[]> {
  if (names.length > 0) {
    const found = await Promise.all(names.map((name) => inspectContainer(context, name)));
    return found.map(({ Id, Name }) => ({ id: Id, name: Name.replace(/^\//, '') }));
  }
  const query = flags.all ? { all: 1 } : {};
  const all = await context.api.get<{ Id: string; Names: string[] }[]>('/containers/json', query);
  return all.map(({ Id, Names }) => ({ id: Id, name: (Names[0] ?? '').replace(/^\//, '') }));
}

async function measure(
  context: Context,
  { id, name }: Named,
  query: Record<string, number>,
): Promise<StatsRow> {
  try {
    const sample = await context.api.get<StatsSample>(containerPath(id, 'stats'), query);
    return { id, name, sample };
  } catch (error) {
    // It may have ended, or gone, since it was listed.
    if (!(error instanceof ApiError)) throw error;
    return { id, name, sample: undefined };
  }
}

/** A single reading has no rate: the one before it is kept for each container. */
class Rates {
  #before = new Map<string, StatsSample>();

  apply(row: StatsRow): StatsRow {
    if (!row.sample) return row;
    const before = this.#before.get(row.id)?.cpu_stats;
    this.#before.set(row.id, row.sample);
    return before ? { ...row, sample: { ...row.sample, precpu_stats: before } } : row;
  }
}
