import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addAttachCommands } from './container-attach.ts';
import { addCopyCommand } from './container-copy.ts';
import { addExecCommand } from './container-exec.ts';
import { addContainerInspect, addListCommand, addPortCommand } from './container-list.ts';
import { addLogsCommand } from './container-logs.ts';
import { addRunCommands } from './container-run.ts';
import { addStateCommands } from './container-state.ts';
import { addStatsCommand } from './container-stats.ts';
import { addTopCommand } from './container-top.ts';
import { addPrune, reclaimed } from './prune.ts';

/** `swarmctl container …`, and the short forms run, ps, exec, logs, rm, …. */
export function addContainerCommands(program: Command, context: Context): void {
  const container = program
    .command('container')
    .description('Manage containers of this node')
    .enablePositionalOptions();
  for (const parent of [container, program]) {
    addRunCommands(parent, context);
    addExecCommand(parent, context);
    addAttachCommands(parent, context);
    addLogsCommand(parent, context);
    addStateCommands(parent, context);
    addPortCommand(parent, context);
    addTopCommand(parent, context);
    addStatsCommand(parent, context);
    addCopyCommand(parent, context);
  }
  addListCommand(container, context, ['ls', 'list', 'ps']);
  addListCommand(program, context, ['ps']);
  addContainerInspect(container, context);
  addPrune(container, context, {
    path: '/containers/prune',
    description: 'Remove all stopped containers',
    warning: () => 'This will remove all stopped containers.',
    report: (answer: { ContainersDeleted: readonly string[] | null; SpaceReclaimed: number }) => {
      const ids = answer.ContainersDeleted ?? [];
      return [
        ...(ids.length > 0 ? ['Deleted Containers:', ...ids, ''] : []),
        reclaimed(answer.SpaceReclaimed),
      ];
    },
  });
}
