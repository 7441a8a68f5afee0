import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { filtersQuery } from '../client.ts';
import { type Context, forEachName, print } from '../context.ts';
import { collect } from '../options/parse.ts';
import { naturalCompare } from '../output/human.ts';
import { inspectAll } from '../output/inspect.ts';
import { type Column, printList } from '../output/list.ts';
import { printService } from '../output/service-pretty.ts';
import { waitUntilConverged } from '../service/progress.ts';
import type { EndpointPort, ServiceObject } from './api-types.ts';
import { addServiceCreate } from './service-create.ts';
import { addServiceUpdate } from './service-update.ts';
import { printTasks, type TaskListFlags } from './tasks.ts';

const ID_LENGTH = 12;

const COLUMNS: readonly Column<ServiceObject>[] = [
  { key: 'ID', header: 'ID', value: ({ ID }) => ID.slice(0, ID_LENGTH) },
  { key: 'Name', header: 'NAME', value: ({ Spec }) => Spec.Name },
  { key: 'Mode', header: 'MODE', value: modeOf },
  { key: 'Replicas', header: 'REPLICAS', value: replicasOf },
  { key: 'Image', header: 'IMAGE', value: imageOf },
  { key: 'Ports', header: 'PORTS', value: portsOf },
];

export function addServiceCommands(program: Command, context: Context): Command {
  const service = program.command('service').description('Manage services');
  addServiceCreate(service, context);
  addServiceUpdate(service, context);
  service
    .command('ls')
    .alias('list')
    .description('List services')
    .option('-f, --filter <key=value>', 'id, label, mode or name', collect, [])
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('-q, --quiet', 'only ids')
    .action((flags) => list(context, flags));
  service
    .command('ps')
    .description('List the tasks of services')
    .argument('<service...>')
    .option('-f, --filter <key=value>', 'id, name, node or desired-state', collect, [])
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('--no-resolve', 'ids instead of names')
    .option('--no-trunc', 'whole ids and errors')
    .option('-q, --quiet', 'only ids')
    .action((names: string[], flags) => ps(context, names, flags));
  service
    .command('inspect')
    .description('Show services in detail')
    .argument('<service...>')
    .option('-f, --format <template>', 'Go template or "json"')
    .option('--pretty', 'for people')
    .action((names: string[], flags) => inspect(context, names, flags));
  service
    .command('rm')
    .alias('remove')
    .description('Remove services')
    .argument('<service...>')
    .action((names: string[]) =>
      forEachName(context, names, async (name) => {
        await context.api.delete(`/services/${encodeURIComponent(name)}`);
        print(context, name);
      }),
    );
  service
    .command('scale')
    .description('Change how many tasks services have')
    .argument('<service=replicas...>')
    .option('-d, --detach', 'do not wait until the services have converged')
    .action((pairs: string[], flags) => scale(context, pairs, flags));
  return service;
}

async function list(
  context: Context,
  flags: { filter: string[]; format?: string; quiet?: boolean },
) {
  const query = { ...filtersQuery(flags.filter), ...(flags.quiet ? {} : { status: true }) };
  const services = await context.api.get<ServiceObject[]>('/services', query);
  services.sort((a, b) => naturalCompare(a.Spec.Name, b.Spec.Name));
  printList(context, services, COLUMNS, flags, ({ ID }) => ID.slice(0, ID_LENGTH));
}

async function ps(
  context: Context,
  names: readonly string[],
  flags: TaskListFlags & { filter: string[] },
): Promise<void> {
  const found = new Set<string>();
  for (const name of names) {
    const service = await find(context, name);
    if (service) found.add(service.ID);
    else {
      context.err.write(`no such service: ${name}\n`);
      context.exit.code = 1;
    }
  }
  if (found.size === 0) return;
  const filters = [...flags.filter, ...[...found].map((id) => `service=${id}`)];
  await printTasks(context, filters, flags);
}

async function find(context: Context, name: string): Promise<ServiceObject | undefined> {
  const byId = await context.api.get<ServiceObject[]>('/services', filtersQuery([`id=${name}`]));
  const byName = await context.api.get<ServiceObject[]>(
    '/services',
    filtersQuery([`name=${name}`]),
  );
  const exact = [...byId, ...byName].find(({ ID, Spec }) => ID === name || Spec.Name === name);
  return exact ?? (byId.length === 1 ? byId[0] : undefined);
}

async function inspect(
  context: Context,
  names: readonly string[],
  flags: { format?: string; pretty?: boolean },
): Promise<void> {
  const fetch = (name: string) =>
    context.api.get<ServiceObject>(`/services/${encodeURIComponent(name)}`, {
      insertDefaults: true,
    });
  if (flags.pretty) {
    for (const name of names) printService(context, await fetch(name));
    return;
  }
  await inspectAll(
    context,
    names,
    flags.format,
    fetch,
    (name) => `Error: no such service: ${name}`,
  );
}

async function scale(context: Context, pairs: readonly string[], flags: { detach?: boolean }) {
  const scaled: string[] = [];
  await forEachName(context, pairs, async (pair) => {
    const [name, count] = parseScale(pair);
    const service = await context.api.get<ServiceObject>(`/services/${encodeURIComponent(name)}`);
    const mode = service.Spec.Mode;
    if (mode?.Global || mode?.GlobalJob) {
      throw new CliError(`${name}: scale can only be used with replicated or replicated-job mode`);
    }
    const Mode = mode?.ReplicatedJob
      ? { ReplicatedJob: { ...mode.ReplicatedJob, TotalCompletions: count } }
      : { Replicated: { Replicas: count } };
    await context.api.post(`/services/${service.ID}/update`, {
      query: { version: service.Version.Index },
      body: { ...service.Spec, Mode },
    });
    print(context, `${name} scaled to ${count}`);
    scaled.push(service.ID);
  });
  if (flags.detach) return;
  for (const id of scaled) await waitUntilConverged(context, id);
}

function parseScale(pair: string): [string, number] {
  const match = /^([^=]+)=(\d+)$/.exec(pair);
  if (match) return [match[1] as string, Number(match[2])];
  throw new CliError(`invalid scale specifier '${pair}': use SERVICE=REPLICAS, e.g. web=3`);
}

function modeOf({ Spec: { Mode } }: ServiceObject): string {
  if (Mode?.Global) return 'global';
  if (Mode?.ReplicatedJob) return 'replicated job';
  return Mode?.GlobalJob ? 'global job' : 'replicated';
}

function replicasOf({ Spec, ServiceStatus: status }: ServiceObject): string {
  const counts = `${status?.RunningTasks ?? 0}/${status?.DesiredTasks ?? 0}`;
  const most = Spec.TaskTemplate.Placement?.MaxReplicas;
  if (Spec.Mode?.ReplicatedJob) {
    const total = Spec.Mode.ReplicatedJob.TotalCompletions ?? 0;
    return `${counts} (${status?.CompletedTasks ?? 0}/${total} completed)`;
  }
  return most ? `${counts} (max ${most} per node)` : counts;
}

function imageOf({ Spec }: ServiceObject): string {
  return (Spec.TaskTemplate.ContainerSpec?.Image ?? '').replace(/@sha256:[0-9a-f]+$/, '');
}

/** Ingress ports, runs of neighbours as ranges. */
function portsOf({ Endpoint }: ServiceObject): string {
  const ports = (Endpoint?.Ports ?? []).filter((port) => port.PublishMode === 'ingress');
  const sorted = [...ports].sort(
    (a, b) => a.Protocol.localeCompare(b.Protocol) || published(a) - published(b),
  );
  const runs: EndpointPort[][] = [];
  for (const port of sorted) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last && follows(last, port)) run.push(port);
    else runs.push([port]);
  }
  return runs.map(describeRun).join(', ');
}

const published = (port: EndpointPort) => port.PublishedPort ?? 0;

function follows(last: EndpointPort, port: EndpointPort): boolean {
  return (
    last.Protocol === port.Protocol &&
    published(port) === published(last) + 1 &&
    port.TargetPort === last.TargetPort + 1
  );
}

function describeRun(run: readonly EndpointPort[]): string {
  const first = run[0] as EndpointPort;
  const last = run.at(-1) as EndpointPort;
  const span = (from: number, to: number) => (from === to ? `${from}` : `${from}-${to}`);
  const outside = span(published(first), published(last));
  return `*:${outside}->${span(first.TargetPort, last.TargetPort)}/${first.Protocol}`;
}
