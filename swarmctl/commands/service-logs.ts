import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { ApiError } from '../client.ts';
import { copyOutput, frames, write } from '../container/copy-output.ts';
import type { Context } from '../context.ts';
import { formatLine, type LineFlags, parseLine, TaskPrefixes } from '../logs/log-lines.ts';
import { toTimestamp } from '../options/parse.ts';
import type { ServiceObject, TaskObject } from './api-types.ts';

interface LogsFlags extends LineFlags {
  follow?: boolean;
  raw?: boolean;
  since?: string;
  tail: string;
}

/** `service logs`: of all tasks of a service, or of one task. */
export function addServiceLogs(service: Command, context: Context): void {
  service
    .command('logs')
    .description('Show what the tasks of a service printed, wherever they run')
    .argument('<service|task>')
    .option('--details', 'with the attributes of the log driver')
    .option('-f, --follow', 'go on with what they print')
    .option('--no-resolve', 'ids instead of names')
    .option('--no-task-ids', 'without the ids of tasks')
    .option('--no-trunc', 'whole ids')
    .option('--raw', 'only what they printed')
    .option('--since <time>', 'from this time (2024-01-02T13:23:37Z) or so long ago (42m)')
    .option('-n, --tail <lines>', 'only so many from the end of each', 'all')
    .option('-t, --timestamps', 'with the time of each line')
    .action((name: string, flags: LogsFlags) => logs(context, name, flags));
}

/** Whose logs these are: where to ask, whether they have a terminal, and how wide slots get. */
interface Source {
  readonly path: string;
  readonly tty: boolean;
  readonly highestSlot: number;
}

async function logs(context: Context, name: string, flags: LogsFlags): Promise<void> {
  const source = await findSource(context, name);
  if (source.tty && !flags.raw) throw new CliError('tty service logs only supported with --raw');
  const answer = await context.api.stream('GET', source.path, {
    query: {
      stdout: 1,
      stderr: 1,
      details: flags.raw && !flags.details ? undefined : 1,
      follow: flags.follow ? 1 : undefined,
      since: toTimestamp(flags.since, Date.now()),
      tail: flags.tail,
      timestamps: flags.timestamps ? 1 : undefined,
    },
  });
  if (flags.raw) return copyOutput(context, answer, source.tty);
  const prefixes = new TaskPrefixes(context, flags, source.highestSlot);
  for await (const { stream, data } of frames(answer)) {
    if (stream === 'error') throw new CliError(`Error from daemon in stream: ${data}`);
    const line = parseLine(data, flags.timestamps ?? false);
    const text = formatLine(line, await prefixes.of(line), flags);
    await write(stream === 'stderr' ? context.err : context.out, text);
  }
}

async function findSource(context: Context, name: string): Promise<Source> {
  const id = encodeURIComponent(name);
  const service = await orMissing(context.api.get<ServiceObject>(`/services/${id}`));
  if (service) {
    const { Mode, TaskTemplate } = service.Spec;
    return {
      path: `/services/${service.ID}/logs`,
      tty: TaskTemplate.ContainerSpec?.['TTY'] === true,
      highestSlot: Mode?.Replicated?.Replicas ?? 1,
    };
  }
  const task = await orMissing(context.api.get<TaskObject>(`/tasks/${id}`));
  if (!task) throw new CliError(`no such task or service: ${name}`);
  const { TTY } = (task.Spec.ContainerSpec ?? {}) as { TTY?: boolean };
  return { path: `/tasks/${task.ID}/logs`, tty: TTY === true, highestSlot: task.Slot ?? 1 };
}

async function orMissing<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
