import type { Command } from 'commander';
import { copyOutput } from '../container/copy-output.ts';
import { inspectContainer } from '../container/inspect.ts';
import { containerPath } from '../container/paths.ts';
import type { Context } from '../context.ts';
import { toTimestamp } from '../options/parse.ts';

interface LogsFlags {
  details?: boolean;
  follow?: boolean;
  since?: string;
  tail: string;
  timestamps?: boolean;
  until?: string;
}

export function addLogsCommand(parent: Command, context: Context): void {
  parent
    .command('logs')
    .description('Show what a container printed')
    .argument('<container>')
    .option('--details', 'with the attributes of the log driver')
    .option('-f, --follow', 'go on with what it prints')
    .option('--since <time>', 'from this time (2024-01-02T13:23:37Z) or so long ago (42m)')
    .option('-n, --tail <lines>', 'only so many from the end', 'all')
    .option('-t, --timestamps', 'with the time of each line')
    .option('--until <time>', 'up to this time, or so long ago')
    .action((name: string, flags: LogsFlags) => logs(context, name, flags));
}

async function logs(context: Context, name: string, flags: LogsFlags): Promise<void> {
  const { Id, Config } = await inspectContainer(context, name);
  const now = Date.now();
  const output = await context.api.stream('GET', containerPath(Id, 'logs'), {
    query: {
      stdout: 1,
      stderr: 1,
      follow: flags.follow ? 1 : undefined,
      timestamps: flags.timestamps ? 1 : undefined,
      details: flags.details ? 1 : undefined,
      tail: flags.tail,
      since: toTimestamp(flags.since, now),
      until: toTimestamp(flags.until, now),
    },
  });
  await copyOutput(context, output, Config.Tty);
}
