import type { Command } from 'commander';
import { containerPath } from '../container/paths.ts';
import { type Context, print } from '../context.ts';
import { renderTable } from '../output/table.ts';

export function addTopCommand(parent: Command, context: Context): void {
  parent
    .command('top')
    .description('List the processes of a container')
    .argument('<container>')
    .argument('[ps-options...]', 'options of ps(1)')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (name: string, options: string[]) => {
      const { Titles, Processes } = await context.api.get<{
        Titles: string[];
        Processes: string[][] | null;
      }>(containerPath(name, 'top'), { ps_args: options.join(' ') || undefined });
      print(context, renderTable(Titles, Processes ?? []));
    });
}
