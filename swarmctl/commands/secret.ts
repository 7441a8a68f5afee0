import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { filtersQuery } from '../client.ts';
import { type Context, forEachName, print } from '../context.ts';
import { collect, toMap } from '../options/parse.ts';
import { ago, naturalCompare } from '../output/human.ts';
import { inspectAll } from '../output/inspect.ts';
import { type Column, printList } from '../output/list.ts';
import type { Versioned } from './api-types.ts';

interface SecretObject extends Versioned {
  readonly Spec: {
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>> | null;
    /** Base 64; of configs only, secrets are not given out. */
    readonly Data?: string;
    readonly Driver?: { readonly Name: string };
  };
}

interface CreateFlags {
  driver?: string;
  label: string[];
  templateDriver?: string;
}

interface InspectFlags {
  format?: string;
  pretty?: boolean;
}

type Kind = 'secret' | 'config';

/** `swarmctl secret …` and `swarmctl config …`, which differ in little. */
export function addSecretCommands(program: Command, context: Context): void {
  for (const kind of ['secret', 'config'] as const) {
    const group = program.command(kind).description(`Manage ${kind}s of the swarm`);
    addCreate(group, context, kind);
    addList(group, context, kind);
    group
      .command('inspect')
      .description(`Show ${kind}s in detail`)
      .argument(`<${kind}...>`)
      .option('-f, --format <template>', 'Go template or "json"')
      .option('--pretty', 'for people')
      .action((names: string[], flags: InspectFlags) => inspect(context, kind, names, flags));
    group
      .command('rm')
      .alias('remove')
      .description(`Remove ${kind}s`)
      .argument(`<${kind}...>`)
      .action((names: string[]) =>
        forEachName(context, names, async (name) => {
          await context.api.delete(pathOf(kind, name));
          print(context, name);
        }),
      );
  }
}

function addCreate(group: Command, context: Context, kind: Kind): void {
  const command = group
    .command('create')
    .description(`Create a ${kind} from a file, or from standard input (-)`)
    .argument(`<${kind}>`)
    .argument(kind === 'secret' ? '[file|-]' : '<file|->')
    .option('-l, --label <key=value>', 'label', collect, [])
    .option(
      '--template-driver <name>',
      'golang: templates in the data are filled in for each task',
    );
  if (kind === 'secret') command.option('-d, --driver <name>', 'driver that knows the data');
  command.action((name: string, file: string | undefined, flags: CreateFlags) =>
    create(context, kind, name, file, flags),
  );
}

async function create(
  context: Context,
  kind: Kind,
  name: string,
  file: string | undefined,
  flags: CreateFlags,
): Promise<void> {
  if (flags.driver && file) throw new CliError('a secret of a driver has no file');
  if (!flags.driver && !file) throw new CliError('secret file is required');
  const { driver, templateDriver } = flags;
  const { ID } = await context.api.post<{ ID: string }>(`/${kind}s/create`, {
    body: {
      Name: name,
      Labels: toMap(flags.label),
      ...(file ? { Data: await readData(context, file) } : {}),
      ...(driver ? { Driver: { Name: driver } } : {}),
      ...(templateDriver ? { Templating: { Name: templateDriver } } : {}),
    },
  });
  print(context, ID);
}

async function readData(context: Context, file: string): Promise<string> {
  if (file !== '-') {
    const data = await readFile(file).catch((error: Error) => {
      throw new CliError(`error reading from ${file}: ${error.message}`);
    });
    return data.toString('base64');
  }
  const data = await buffer(context.input);
  if (data.length === 0) throw new CliError('error reading from STDIN: data is empty');
  return data.toString('base64');
}

function addList(group: Command, context: Context, kind: Kind): void {
  group
    .command('ls')
    .alias('list')
    .description(`List ${kind}s`)
    .option('-f, --filter <key=value>', 'id, label or name', collect, [])
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('-q, --quiet', 'only ids')
    .action(async (flags: { filter: string[]; format?: string; quiet?: boolean }) => {
      const query = filtersQuery(flags.filter);
      const objects = await context.api.get<SecretObject[]>(`/${kind}s`, query);
      objects.sort((a, b) => naturalCompare(a.Spec.Name, b.Spec.Name));
      printList(context, objects, columns(kind), flags, ({ ID }) => ID);
    });
}

function columns(kind: Kind): Column<SecretObject>[] {
  const now = Date.now();
  const driver: Column<SecretObject> = {
    key: 'Driver',
    header: 'DRIVER',
    value: ({ Spec }) => Spec.Driver?.Name ?? '',
  };
  return [
    { key: 'ID', header: 'ID', value: ({ ID }) => ID },
    { key: 'Name', header: 'NAME', value: ({ Spec }) => Spec.Name },
    ...(kind === 'secret' ? [driver] : []),
    { key: 'CreatedAt', header: 'CREATED', value: ({ CreatedAt }) => ago(CreatedAt, now) },
    { key: 'UpdatedAt', header: 'UPDATED', value: ({ UpdatedAt }) => ago(UpdatedAt, now) },
    { key: 'Labels', header: 'LABELS', value: labelsOf, hidden: true },
  ];
}

function labelsOf({ Spec }: SecretObject): string {
  return Object.entries(Spec.Labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

async function inspect(
  context: Context,
  kind: Kind,
  names: readonly string[],
  flags: InspectFlags,
): Promise<void> {
  const fetch = (name: string) => context.api.get<SecretObject>(pathOf(kind, name));
  if (flags.pretty) {
    return forEachName(context, names, async (name) => prettyPrint(context, await fetch(name)));
  }
  const missing = (name: string) => `Error response from daemon: ${kind} ${name} not found`;
  return inspectAll(context, names, flags.format, fetch, missing);
}

function prettyPrint(context: Context, { ID, CreatedAt, UpdatedAt, Spec }: SecretObject): void {
  const labels = Object.entries(Spec.Labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = [
    `ID:              ${ID}`,
    `Name:            ${Spec.Name}`,
    ...(labels.length > 0 ? ['Labels:'] : []),
    ...labels.map(([key, value]) => ` - ${key}=${value}`),
    ...(Spec.Driver ? [`Driver:          ${Spec.Driver.Name}`] : []),
    `Created at:      ${CreatedAt}`,
    `Updated at:      ${UpdatedAt}`,
    ...(Spec.Data === undefined
      ? []
      : ['Data:', Buffer.from(Spec.Data, 'base64').toString('utf8')]),
  ];
  print(context, lines.join('\n'));
}

function pathOf(kind: Kind, name: string): string {
  return `/${kind}s/${encodeURIComponent(name)}`;
}
