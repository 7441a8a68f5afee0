import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { filtersQuery } from '../client.ts';
import { type Context, forEachName, print } from '../context.ts';
import { collect, toMap } from '../options/parse.ts';
import { naturalCompare } from '../output/human.ts';
import { inspectAll } from '../output/inspect.ts';
import { type Column, printList } from '../output/list.ts';
import { addPrune, reclaimed } from './prune.ts';

interface VolumeObject {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Scope: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}

interface CreateFlags {
  driver: string;
  label: string[];
  name?: string;
  opt: string[];
}

const COLUMNS: readonly Column<VolumeObject>[] = [
  { key: 'Driver', header: 'DRIVER', value: ({ Driver }) => Driver },
  { key: 'Name', header: 'VOLUME NAME', value: ({ Name }) => Name },
  { key: 'Mountpoint', header: 'MOUNTPOINT', value: (row) => row.Mountpoint, hidden: true },
  { key: 'Scope', header: 'SCOPE', value: ({ Scope }) => Scope, hidden: true },
  {
    key: 'Labels',
    header: 'LABELS',
    value: ({ Labels }) =>
      Object.entries(Labels ?? {})
        .map(([key, value]) => `${key}=${value}`)
        .join(','),
    hidden: true,
  },
];

export function addVolumeCommands(program: Command, context: Context): void {
  const volume = program.command('volume').description('Manage volumes of this node');
  volume
    .command('create')
    .description('Create a volume')
    .argument('[volume]', 'its name; without, one is made up')
    .option('-d, --driver <driver>', 'volume driver', 'local')
    .option('--label <key=value>', 'label', collect, [])
    .option('--name <name>', 'older way to give the name')
    .option('-o, --opt <key=value>', 'option of the driver', collect, [])
    .action((name: string | undefined, flags: CreateFlags) => create(context, name, flags));
  volume
    .command('ls')
    .alias('list')
    .description('List volumes')
    .option('-f, --filter <key=value>', 'name, label, driver or dangling', collect, [])
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('-q, --quiet', 'only names')
    .action((flags) => list(context, flags));
  volume
    .command('inspect')
    .description('Show volumes in detail')
    .argument('<volume...>')
    .option('-f, --format <template>', 'Go template or "json"')
    .action((names: string[], flags) =>
      inspectAll(
        context,
        names,
        flags.format,
        (name) => context.api.get(volumePath(name)),
        (name) => `Error response from daemon: get ${name}: no such volume`,
      ),
    );
  volume
    .command('rm')
    .alias('remove')
    .description('Remove volumes')
    .argument('<volume...>')
    .option('-f, --force', 'no error when it does not exist')
    .action((names: string[], flags: { force?: boolean }) =>
      forEachName(context, names, async (name) => {
        await context.api.delete(volumePath(name), { force: flags.force ? 1 : undefined });
        print(context, name);
      }),
    );
  addVolumePrune(volume, context);
}

function addVolumePrune(volume: Command, context: Context): void {
  addPrune(volume, context, {
    path: '/volumes/prune',
    description: 'Remove volumes that no container uses',
    all: 'not only those without a name',
    warning: ({ all }) =>
      `This will remove ${all ? 'all' : 'anonymous'} local volumes not used by at least one container.`,
    filters: ({ all }) => (all ? ['all=true'] : []),
    report: (answer: { VolumesDeleted: readonly string[] | null; SpaceReclaimed: number }) => {
      const names = answer.VolumesDeleted ?? [];
      return [
        ...(names.length > 0 ? ['Deleted Volumes:', ...names, ''] : []),
        reclaimed(answer.SpaceReclaimed),
      ];
    },
  });
}

async function create(
  context: Context,
  name: string | undefined,
  flags: CreateFlags,
): Promise<void> {
  if (name && flags.name) {
    throw new CliError(
      'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
    );
  }
  const { Name } = await context.api.post<VolumeObject>('/volumes/create', {
    body: {
      Name: name ?? flags.name ?? '',
      Driver: flags.driver,
      DriverOpts: toMap(flags.opt),
      Labels: toMap(flags.label),
    },
  });
  print(context, Name);
}

async function list(
  context: Context,
  flags: { filter: string[]; format?: string; quiet?: boolean },
): Promise<void> {
  const { Volumes } = await context.api.get<{ Volumes: VolumeObject[] | null }>(
    '/volumes',
    filtersQuery(flags.filter),
  );
  const volumes = [...(Volumes ?? [])].sort((a, b) => naturalCompare(a.Name, b.Name));
  printList(context, volumes, COLUMNS, flags, ({ Name }) => Name);
}

function volumePath(name: string): string {
  return `/volumes/${encodeURIComponent(name)}`;
}
