import type { Command } from 'commander';
import { type Context, print } from '../context.ts';
import { compile, render } from '../output/list.ts';
import { printInfo, type SystemInfo } from '../output/system-info.ts';
import { addDiskUsage } from './disk-usage.ts';
import { addEvents } from './events.ts';
import { addVersion } from './version.ts';

/** `info`, `version` and `events`, also below `system`, which has `df` besides. */
export function addSystemCommands(program: Command, context: Context): void {
  const system = program.command('system').description('Look at the node and its daemon');
  for (const parent of [system, program]) {
    addInfo(parent, context);
    addEvents(parent, context);
  }
  addVersion(program, context);
  addDiskUsage(system, context);
}

function addInfo(parent: Command, context: Context): void {
  parent
    .command('info')
    .description('Show what this node is, and its place in the swarm')
    .option('-f, --format <template>', 'Go template or "json"')
    .action(async ({ format }: { format?: string }) => {
      const info = await context.api.get<SystemInfo>('/info');
      if (!format) printInfo(context, info);
      else if (format === 'json') print(context, JSON.stringify(info));
      else print(context, render(compile(format), info));
    });
}
