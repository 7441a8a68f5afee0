import { isDeepStrictEqual } from 'node:util';
import { type Command, InvalidArgumentError } from 'commander';
import { CliError } from '../cli-error.ts';
import { filtersQuery } from '../client.ts';
import { type Context, forEachName, print } from '../context.ts';
import { collect, splitPair, toMap } from '../options/parse.ts';
import { naturalCompare } from '../output/human.ts';
import { inspectAll } from '../output/inspect.ts';
import { type Column, printList } from '../output/list.ts';
import { printNode } from '../output/node-pretty.ts';
import type { Info, NodeObject, NodeSpec, TlsInfo } from './api-types.ts';
import { parseAvailability } from './swarm.ts';
import { printTasks } from './tasks.ts';

interface NodeRow {
  readonly node: NodeObject;
  /** What every node is to have. */
  readonly wantedTls: TlsInfo | undefined;
  readonly self: boolean;
}

const COLUMNS: readonly Column<NodeRow>[] = [
  {
    key: 'ID',
    header: 'ID',
    value: ({ node }) => node.ID,
    cell: ({ node, self }) => (self ? `${node.ID} *` : node.ID),
  },
  { key: 'Hostname', header: 'HOSTNAME', value: ({ node }) => hostname(node) },
  { key: 'Status', header: 'STATUS', value: ({ node }) => capital(node.Status.State) },
  {
    key: 'Availability',
    header: 'AVAILABILITY',
    value: ({ node }) => capital(node.Spec.Availability),
  },
  { key: 'ManagerStatus', header: 'MANAGER STATUS', value: ({ node }) => managerStatus(node) },
  {
    key: 'EngineVersion',
    header: 'ENGINE VERSION',
    value: ({ node }) => node.Description.Engine.EngineVersion ?? '',
  },
  { key: 'TLSStatus', header: 'TLS STATUS', value: tlsStatus, hidden: true },
  { key: 'Self', header: 'SELF', value: ({ self }) => String(self), hidden: true },
];

export function addNodeCommands(program: Command, context: Context): void {
  const node = program.command('node').description('Manage the nodes of the swarm');
  node
    .command('ls')
    .alias('list')
    .description('List nodes')
    .option(
      '-f, --filter <key=value>',
      'id, label, membership, name, node.label or role',
      collect,
      [],
    )
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('-q, --quiet', 'only ids')
    .action((flags) => list(context, flags));
  node
    .command('inspect')
    .description('Show nodes in detail')
    .argument('<node...>', '"self" is this one')
    .option('-f, --format <template>', 'Go template or "json"')
    .option('--pretty', 'for people')
    .action((names: string[], flags) => inspect(context, names, flags));
  node
    .command('ps')
    .description('List tasks on nodes')
    .argument('[node...]', 'default: this one')
    .option('-f, --filter <key=value>', 'id, label, name or desired-state', collect, [])
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('--no-resolve', 'ids instead of names')
    .option('--no-trunc', 'whole ids and errors')
    .option('-q, --quiet', 'only ids')
    .action((names: string[], flags) => ps(context, names, flags));
  node
    .command('update')
    .description('Change a node')
    .argument('<node>')
    .option('--availability <state>', 'active, pause or drain', parseAvailability)
    .option('--label-add <key=value>', 'add or change a label', collect, [])
    .option('--label-rm <key>', 'remove a label', collect, [])
    .option('--role <role>', 'worker or manager', parseRole)
    .action((name: string, flags) => update(context, name, flags));
  addRoleCommand(node, context, 'promote', 'manager');
  addRoleCommand(node, context, 'demote', 'worker');
  node
    .command('rm')
    .alias('remove')
    .description('Remove nodes from the swarm')
    .argument('<node...>')
    .option('-f, --force', 'also when the node is not down')
    .action((names: string[], flags) =>
      forEachName(context, names, async (name) => {
        await context.api.delete(`/nodes/${name}`, flags.force ? { force: 1 } : {});
        print(context, name);
      }),
    );
}

async function list(
  context: Context,
  flags: { filter: string[]; format?: string; quiet?: boolean },
) {
  const nodes = await context.api.get<NodeObject[]>('/nodes', filtersQuery(flags.filter));
  const info = await context.api.get<Info>('/info');
  const rows = nodes
    .map((node) => ({
      node,
      self: node.ID === info.Swarm.NodeID,
      wantedTls: info.Swarm.Cluster?.TLSInfo,
    }))
    .sort((a, b) => naturalCompare(hostname(a.node), hostname(b.node)));
  printList(context, rows, COLUMNS, flags, ({ node }) => node.ID);
}

const hostname = ({ Description }: NodeObject) => Description.Hostname ?? '';

async function inspect(
  context: Context,
  names: readonly string[],
  flags: { format?: string; pretty?: boolean },
): Promise<void> {
  if (flags.pretty && flags.format)
    throw new CliError('--format is incompatible with human friendly format');
  const fetch = async (name: string) =>
    context.api.get<NodeObject>(`/nodes/${await resolveSelf(context, name)}`);
  if (flags.pretty) {
    for (const name of names) printNode(context, await fetch(name));
    return;
  }
  await inspectAll(context, names, flags.format, fetch, (name) => `Error: no such node: ${name}`);
}

async function ps(
  context: Context,
  names: readonly string[],
  flags: { filter: string[]; format?: string; resolve: boolean; trunc: boolean; quiet?: boolean },
): Promise<void> {
  const wanted = names.length > 0 ? names : ['self'];
  const nodes: NodeObject[] = [];
  for (const name of wanted) {
    nodes.push(await context.api.get<NodeObject>(`/nodes/${await resolveSelf(context, name)}`));
  }
  const filters = [...flags.filter, ...nodes.map((node) => `node=${node.ID}`)];
  await printTasks(context, filters, flags);
}

async function update(
  context: Context,
  name: string,
  flags: { availability?: string; labelAdd: string[]; labelRm: string[]; role?: string },
): Promise<void> {
  const node = await context.api.get<NodeObject>(`/nodes/${await resolveSelf(context, name)}`);
  const labels = { ...node.Spec.Labels, ...toMap(flags.labelAdd) };
  for (const key of flags.labelRm.map((label) => splitPair(label)[0])) {
    if (!(key in labels)) throw new CliError(`key ${key} doesn't exist in node's labels`);
    delete labels[key];
  }
  await post(context, node, {
    ...node.Spec,
    Labels: labels,
    ...(flags.availability ? { Availability: flags.availability } : {}),
    ...(flags.role ? { Role: flags.role } : {}),
  });
  print(context, name);
}

function addRoleCommand(
  parent: Command,
  context: Context,
  verb: 'promote' | 'demote',
  role: string,
) {
  parent
    .command(verb)
    .description(verb === 'promote' ? 'Make nodes managers' : 'Make managers workers')
    .argument('<node...>')
    .action((names: string[]) =>
      forEachName(context, names, async (name) => {
        const node = await context.api.get<NodeObject>(
          `/nodes/${await resolveSelf(context, name)}`,
        );
        if (node.Spec.Role === role) {
          print(context, `Node ${node.ID} is already a ${role}.`);
          return;
        }
        await post(context, node, { ...node.Spec, Role: role });
        const done =
          verb === 'promote'
            ? `Node ${name} promoted to a manager in the swarm.`
            : `Manager ${name} demoted in the swarm.`;
        print(context, done);
      }),
    );
}

async function post(context: Context, node: NodeObject, spec: NodeSpec): Promise<void> {
  await context.api.post(`/nodes/${node.ID}/update`, {
    query: { version: node.Version.Index },
    body: spec,
  });
}

async function resolveSelf(context: Context, name: string): Promise<string> {
  if (name !== 'self') return encodeURIComponent(name);
  const info = await context.api.get<Info>('/info');
  if (info.Swarm.NodeID) return info.Swarm.NodeID;
  throw new CliError('node ID not found in /info: is this node part of a swarm?');
}

/** Of the certificate and the roots that a node has, beside those that it is to have. */
function tlsStatus({ node, wantedTls }: NodeRow): string {
  const found = node.Description.TLSInfo;
  if (!wantedTls?.TrustRoot || !found?.TrustRoot) return 'Unknown';
  return isDeepStrictEqual(found, wantedTls) ? 'Ready' : 'Needs Rotation';
}

function managerStatus({ ManagerStatus }: NodeObject): string {
  if (!ManagerStatus) return '';
  return ManagerStatus.Leader ? 'Leader' : capital(ManagerStatus.Reachability);
}

function parseRole(value: string): string {
  if (value === 'worker' || value === 'manager') return value;
  throw new InvalidArgumentError(`"${value}" is not worker or manager.`);
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
