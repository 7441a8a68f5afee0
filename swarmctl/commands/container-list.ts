import type { Command } from 'commander';
import { filtersQuery } from '../client.ts';
import { inspectContainer } from '../container/inspect.ts';
import { containerPath } from '../container/paths.ts';
import { type Context, forEachName, print } from '../context.ts';
import { collect, parseInteger } from '../options/parse.ts';
import { ago, ellipsis, humanSize, plainTime } from '../output/human.ts';
import { inspectAll } from '../output/inspect.ts';
import { type Column, printList } from '../output/list.ts';
import { type ContainerPort, displayPorts } from '../output/ports.ts';

const ID_LENGTH = 12;
const COMMAND_LENGTH = 20;
const MOUNT_LENGTH = 15;

interface ContainerSummary {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  readonly Created: number;
  readonly Ports: readonly ContainerPort[];
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly State: string;
  readonly Status: string;
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> };
  readonly Mounts?: readonly { readonly Name?: string; readonly Source: string }[];
}

interface ListFlags {
  all?: boolean;
  filter: string[];
  format?: string;
  last: number;
  latest?: boolean;
  quiet?: boolean;
  size?: boolean;
  trunc: boolean;
}

/** `ps` beside the other short commands, `ls` below `container`. */
export function addListCommand(parent: Command, context: Context, names: readonly string[]): void {
  const [name = 'ps', ...aliases] = names;
  parent
    .command(name)
    .aliases(aliases)
    .description('List containers')
    .option('-a, --all', 'also those that do not run')
    .option('-f, --filter <key=value>', 'name, status, label, ancestor, network, …', collect, [])
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('-n, --last <n>', 'the newest so many, whatever their state', parseInteger, -1)
    .option('-l, --latest', 'the newest one, whatever its state')
    .option('--no-trunc', 'whole ids and commands')
    .option('-q, --quiet', 'only ids')
    .option('-s, --size', 'with the size of their files')
    .action((flags: ListFlags) => list(context, flags));
}

/** `inspect`, `port` and `top` of containers. */
export function addContainerInspect(container: Command, context: Context): void {
  container
    .command('inspect')
    .description('Show containers in detail')
    .argument('<container...>')
    .option('-f, --format <template>', 'Go template or "json"')
    .option('-s, --size', 'with the size of their files')
    .action((names: string[], flags) =>
      inspectAll(
        context,
        names,
        flags.format,
        (name) =>
          context.api.get(containerPath(name, 'json'), { size: flags.size ? 1 : undefined }),
        (name) => `Error response from daemon: No such container: ${name}`,
      ),
    );
}

export function addPortCommand(parent: Command, context: Context): void {
  parent
    .command('port')
    .description('Show where ports of a container are published')
    .argument('<container>')
    .argument('[port]', 'PORT[/PROTOCOL] of the container')
    .action(async (name: string, port?: string) => {
      const { NetworkSettings } = await inspectContainer(context, name);
      const wanted = port && (port.includes('/') ? port : `${port}/tcp`);
      const lines = Object.entries(NetworkSettings.Ports ?? {}).flatMap(([key, bindings]) => {
        if (wanted && key !== wanted) return [];
        const places = (bindings ?? []).map(({ HostIp, HostPort }) =>
          HostIp.includes(':') ? `[${HostIp}]:${HostPort}` : `${HostIp}:${HostPort}`,
        );
        return places.map((place) => (wanted ? place : `${key} -> ${place}`));
      });
      for (const line of lines.sort()) print(context, line);
      if (!wanted || lines.length > 0) return;
      await forEachName(context, [name], async () => {
        throw new Error(`no public port '${wanted}' published for ${name}`);
      });
    });
}

async function list(context: Context, flags: ListFlags): Promise<void> {
  const limit = flags.latest ? 1 : flags.last;
  const sized = flags.size || /\.Size\b/.test(flags.format ?? '');
  const containers = await context.api.get<ContainerSummary[]>('/containers/json', {
    all: flags.all ? 1 : undefined,
    limit: limit > 0 ? limit : undefined,
    size: sized ? 1 : undefined,
    ...filtersQuery(flags.filter),
  });
  const id = ({ Id }: ContainerSummary) => (flags.trunc ? Id.slice(0, ID_LENGTH) : Id);
  printList(context, containers, columns(flags, id), flags, id);
}

function columns(
  flags: ListFlags,
  id: (row: ContainerSummary) => string,
): Column<ContainerSummary>[] {
  const now = Date.now();
  const cut = (text: string, length: number) => (flags.trunc ? ellipsis(text, length) : text);
  return [
    { key: 'ID', header: 'CONTAINER ID', value: id },
    { key: 'Image', header: 'IMAGE', value: (row) => imageOf(row, flags.trunc) },
    {
      key: 'Command',
      header: 'COMMAND',
      value: ({ Command }) => JSON.stringify(cut(Command, COMMAND_LENGTH)),
    },
    { key: 'RunningFor', header: 'CREATED', value: ({ Created }) => ago(Created * 1_000, now) },
    { key: 'Status', header: 'STATUS', value: ({ Status }) => Status },
    { key: 'Ports', header: 'PORTS', value: ({ Ports }) => displayPorts(Ports) },
    { key: 'Names', header: 'NAMES', value: (row) => namesOf(row, flags.trunc) },
    { key: 'Size', header: 'SIZE', value: sizeOf, hidden: !flags.size },
    {
      key: 'CreatedAt',
      header: 'CREATED AT',
      value: ({ Created }) => plainTime(Created),
      hidden: true,
    },
    { key: 'State', header: 'STATE', value: ({ State }) => State, hidden: true },
    { key: 'Labels', header: 'LABELS', value: labelsOf, hidden: true },
    {
      key: 'Networks',
      header: 'NETWORKS',
      value: ({ NetworkSettings }) => Object.keys(NetworkSettings?.Networks ?? {}).join(','),
      hidden: true,
    },
    {
      key: 'Mounts',
      header: 'MOUNTS',
      value: ({ Mounts = [] }) =>
        Mounts.map((mount) => cut(mount.Name || mount.Source, MOUNT_LENGTH)).join(','),
      hidden: true,
    },
    {
      key: 'LocalVolumes',
      header: 'LOCAL VOLUMES',
      value: ({ Mounts = [] }) => String(Mounts.filter(({ Name }) => Name).length),
      hidden: true,
    },
  ];
}

function imageOf({ Image, ImageID }: ContainerSummary, trunc: boolean): string {
  if (!trunc) return Image;
  if (Image === ImageID) return Image.replace('sha256:', '').slice(0, ID_LENGTH);
  return Image.replace(/@sha256:[0-9a-f]{64}$/, '');
}

/** Names with a slash inside are links of other containers. */
function namesOf({ Names }: ContainerSummary, trunc: boolean): string {
  const plain = Names.map((name) => name.replace(/^\//, ''));
  return plain.filter((name) => !trunc || !name.includes('/')).join(',');
}

function sizeOf({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const own = humanSize(SizeRw);
  return SizeRootFs > 0 ? `${own} (virtual ${humanSize(SizeRootFs)})` : own;
}

function labelsOf({ Labels }: ContainerSummary): string {
  return Object.entries(Labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
