import { ApiError, filtersQuery } from '../client.ts';
import type { Context } from '../context.ts';
import { ago, ellipsis, naturalCompare } from '../output/human.ts';
import { type Column, printList } from '../output/list.ts';
import type { NodeObject, ServiceObject, TaskObject } from './api-types.ts';

export interface TaskListFlags {
  readonly format?: string;
  readonly quiet?: boolean;
  readonly resolve: boolean;
  readonly trunc: boolean;
}

interface TaskRow {
  readonly task: TaskObject;
  readonly name: string;
  readonly node: string;
  /** An older task of the slot above it. */
  readonly older: boolean;
}

const ERROR_LENGTH = 30;
const ID_LENGTH = 12;

/** Tasks of the given filters as `service ps` and `node ps` show them: by slot, the newest first. */
export async function printTasks(
  context: Context,
  filters: readonly string[],
  flags: TaskListFlags,
) {
  const tasks = await context.api.get<TaskObject[]>('/tasks', filtersQuery(filters));
  const names = flags.resolve ? await nameLookup(context, tasks) : unresolved();
  const sorted = tasks
    .map((task) => ({
      task,
      name: taskName(task, names.service),
      node: names.node(task.NodeID ?? ''),
    }))
    .sort((a, b) => naturalCompare(a.name, b.name) || newestFirst(a.task, b.task));
  const rows = sorted.map((row, i) => ({
    ...row,
    older: i > 0 && sorted[i - 1]?.name === row.name,
  }));
  const id = ({ task }: TaskRow) =>
    flags.trunc && !flags.quiet ? task.ID.slice(0, ID_LENGTH) : task.ID;
  printList(context, rows, columns(flags, id), flags, id);
}

function columns(flags: TaskListFlags, id: (row: TaskRow) => string): Column<TaskRow>[] {
  const now = Date.now();
  return [
    { key: 'ID', header: 'ID', value: id },
    {
      key: 'Name',
      header: 'NAME',
      value: ({ name, older }) => (older && !flags.format ? ` \\_ ${name}` : name),
    },
    { key: 'Image', header: 'IMAGE', value: ({ task }) => imageOf(task, flags.trunc) },
    { key: 'Node', header: 'NODE', value: ({ node }) => node },
    {
      key: 'DesiredState',
      header: 'DESIRED STATE',
      value: ({ task }) => capital(task.DesiredState),
    },
    {
      key: 'CurrentState',
      header: 'CURRENT STATE',
      value: ({ task }) =>
        `${capital(task.Status.State)} ${ago(task.Status.Timestamp, now).toLowerCase()}`,
    },
    { key: 'Error', header: 'ERROR', value: ({ task }) => errorOf(task, flags.trunc) },
    { key: 'Ports', header: 'PORTS', value: ({ task }) => portsOf(task) },
  ];
}

interface Names {
  readonly service: (id: string) => string;
  readonly node: (id: string) => string;
}

function unresolved(): Names {
  return { service: (id) => id, node: (id) => id };
}

async function nameLookup(context: Context, tasks: readonly TaskObject[]): Promise<Names> {
  const services = new Map<string, string>();
  const nodes = new Map<string, string>();
  const ids = <K extends 'ServiceID' | 'NodeID'>(key: K) =>
    [...new Set(tasks.map((task) => task[key]))].filter((id): id is string => Boolean(id));
  await Promise.all([
    ...ids('ServiceID').map(async (id) => {
      const service = await orGone(context.api.get<ServiceObject>(`/services/${id}`));
      services.set(id, service?.Spec.Name ?? id);
    }),
    ...ids('NodeID').map(async (id) => {
      const node = await orGone(context.api.get<NodeObject>(`/nodes/${id}`));
      nodes.set(id, node?.Spec.Name || node?.Description.Hostname || id);
    }),
  ]);
  return { service: (id) => services.get(id) ?? id, node: (id) => nodes.get(id) ?? id };
}

async function orGone<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function taskName(task: TaskObject, service: (id: string) => string): string {
  if (!task.ServiceID) return task.ID;
  return `${service(task.ServiceID)}.${task.Slot || task.NodeID || task.ID}`;
}

function newestFirst(a: TaskObject, b: TaskObject): number {
  return Date.parse(b.CreatedAt) - Date.parse(a.CreatedAt);
}

function imageOf(task: TaskObject, trunc: boolean): string {
  const image = task.Spec.ContainerSpec?.Image ?? '';
  return trunc ? image.replace(/@sha256:[0-9a-f]+$/, '') : image;
}

function errorOf({ Status }: TaskObject, trunc: boolean): string {
  if (!Status.Err) return '';
  return `"${trunc ? ellipsis(Status.Err, ERROR_LENGTH) : Status.Err}"`;
}

function portsOf({ Status }: TaskObject): string {
  const ports = Status.PortStatus?.Ports ?? [];
  return ports.map((p) => `*:${p.PublishedPort}->${p.TargetPort}/${p.Protocol}`).join(',');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
