import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { filtersQuery } from '../client.ts';
import { type Context, forEachName, print } from '../context.ts';
import { collect, toMap } from '../options/parse.ts';
import { naturalCompare } from '../output/human.ts';
import { inspectAll } from '../output/inspect.ts';
import { type Column, printList } from '../output/list.ts';
import type { NetworkObject } from './api-types.ts';
import { addPrune } from './prune.ts';

const ID_LENGTH = 12;

interface CreateFlags {
  attachable?: boolean;
  auxAddress: string[];
  driver: string;
  gateway: string[];
  ingress?: boolean;
  internal?: boolean;
  ipRange: string[];
  ipamDriver: string;
  ipamOpt: string[];
  ipv6?: boolean;
  label: string[];
  opt: string[];
  scope: string;
  subnet: string[];
}

export function addNetworkCommands(program: Command, context: Context): void {
  const network = program.command('network').description('Manage networks');
  addCreate(network, context);
  network
    .command('ls')
    .alias('list')
    .description('List networks')
    .option(
      '-f, --filter <key=value>',
      'driver, id, label, name, scope, type or dangling',
      collect,
      [],
    )
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('--no-trunc', 'whole ids')
    .option('-q, --quiet', 'only ids')
    .action((flags) => list(context, flags));
  network
    .command('inspect')
    .description('Show networks in detail')
    .argument('<network...>')
    .option('-f, --format <template>', 'Go template or "json"')
    .option('-v, --verbose', 'with the services and tasks of the whole swarm')
    .action((names: string[], flags) =>
      inspectAll(
        context,
        names,
        flags.format,
        (name) =>
          context.api.get(
            `/networks/${encodeURIComponent(name)}`,
            flags.verbose ? { verbose: true } : {},
          ),
        (name) => `Error response from daemon: network ${name} not found`,
      ),
    );
  network
    .command('rm')
    .alias('remove')
    .description('Remove networks')
    .argument('<network...>')
    .option('-f, --force', 'no error when it does not exist')
    .action((names: string[]) =>
      forEachName(context, names, async (name) => {
        await context.api.delete(`/networks/${encodeURIComponent(name)}`);
        print(context, name);
      }),
    );
  addConnect(network, context);
  addPrune(network, context, {
    path: '/networks/prune',
    description: 'Remove networks that nothing uses',
    warning: () => 'This will remove all custom networks not used by at least one container.',
    report: ({ NetworksDeleted }: { NetworksDeleted: readonly string[] | null }) =>
      NetworksDeleted && NetworksDeleted.length > 0
        ? ['Deleted Networks:', ...NetworksDeleted, '']
        : [],
  });
  network
    .command('disconnect')
    .description('Take a container off a network')
    .argument('<network>')
    .argument('<container>')
    .option('-f, --force', 'also when the container is gone')
    .action((name: string, container: string, flags) =>
      context.api.post(`/networks/${encodeURIComponent(name)}/disconnect`, {
        body: { Container: container, Force: flags.force ?? false },
      }),
    );
}

function addCreate(network: Command, context: Context): void {
  network
    .command('create')
    .description('Create a network')
    .argument('<network>')
    .option('--attachable', 'standalone containers may attach (overlay)')
    .option('--aux-address <name=ip>', 'addresses not to be handed out', collect, [])
    .option('-d, --driver <driver>', 'bridge or overlay', 'bridge')
    .option('--gateway <ip>', 'gateway of the subnet', collect, [])
    .option('--ingress', "make it the swarm's routing-mesh network")
    .option('--internal', 'no way out of the network')
    .option('--ip-range <cidr>', 'part of the subnet to hand out from', collect, [])
    .option('--ipam-driver <driver>', 'address management', 'default')
    .option('--ipam-opt <key=value>', 'options of it', collect, [])
    .option('--ipv6', 'enable IPv6')
    .option('--label <key=value>', 'label', collect, [])
    .option('-o, --opt <key=value>', 'option of the driver', collect, [])
    .option('--scope <scope>', 'local or swarm', '')
    .option('--subnet <cidr>', 'subnet', collect, [])
    .action(async (name: string, flags: CreateFlags) => {
      const body = createBody(name, flags);
      const { Id, Warning } = await context.api.post<{ Id: string; Warning?: string }>(
        '/networks/create',
        { body },
      );
      if (Warning) context.err.write(`WARNING: ${Warning}\n`);
      print(context, Id);
    });
}

function createBody(name: string, flags: CreateFlags): object {
  return {
    Name: name,
    Driver: flags.driver,
    Scope: flags.scope,
    EnableIPv6: flags.ipv6 ?? false,
    IPAM: { Driver: flags.ipamDriver, Options: toMap(flags.ipamOpt), Config: ipamConfig(flags) },
    Internal: flags.internal ?? false,
    Attachable: flags.attachable ?? false,
    Ingress: flags.ingress ?? false,
    Options: toMap(flags.opt),
    Labels: toMap(flags.label),
  };
}

/** Gateways, ranges and auxiliary addresses go with the subnet of the same position. */
function ipamConfig(flags: CreateFlags): object[] {
  const extra = Math.max(flags.gateway.length, flags.ipRange.length);
  if (extra > Math.max(flags.subnet.length, 1)) {
    throw new CliError('every --gateway and --ip-range needs a --subnet that it belongs to');
  }
  if (flags.subnet.length === 0 && extra > 0) {
    throw new CliError('--gateway and --ip-range need a --subnet');
  }
  return flags.subnet.map((subnet, i) => ({
    Subnet: subnet,
    ...(flags.ipRange[i] ? { IPRange: flags.ipRange[i] } : {}),
    ...(flags.gateway[i] ? { Gateway: flags.gateway[i] } : {}),
    ...(i === 0 && flags.auxAddress.length > 0
      ? { AuxiliaryAddresses: toMap(flags.auxAddress) }
      : {}),
  }));
}

function addConnect(network: Command, context: Context): void {
  network
    .command('connect')
    .description('Attach a running or stopped container to a network')
    .argument('<network>')
    .argument('<container>')
    .option('--alias <name>', 'another name of the container on this network', collect, [])
    .option('--driver-opt <key=value>', 'option of the driver', collect, [])
    .option('--ip <address>', 'IPv4 address')
    .option('--ip6 <address>', 'IPv6 address')
    .action((name: string, container: string, flags) =>
      context.api.post(`/networks/${encodeURIComponent(name)}/connect`, {
        body: {
          Container: container,
          EndpointConfig: {
            IPAMConfig: {
              ...(flags.ip ? { IPv4Address: flags.ip } : {}),
              ...(flags.ip6 ? { IPv6Address: flags.ip6 } : {}),
            },
            Aliases: flags.alias.length > 0 ? flags.alias : null,
            DriverOpts: toMap(flags.driverOpt),
          },
        },
      }),
    );
}

async function list(
  context: Context,
  flags: { filter: string[]; format?: string; quiet?: boolean; trunc: boolean },
): Promise<void> {
  const networks = await context.api.get<NetworkObject[]>('/networks', filtersQuery(flags.filter));
  networks.sort((a, b) => naturalCompare(a.Name, b.Name));
  const id = (network: NetworkObject) =>
    flags.trunc ? network.Id.slice(0, ID_LENGTH) : network.Id;
  const columns: Column<NetworkObject>[] = [
    { key: 'ID', header: 'NETWORK ID', value: id },
    { key: 'Name', header: 'NAME', value: (network) => network.Name },
    { key: 'Driver', header: 'DRIVER', value: (network) => network.Driver },
    { key: 'Scope', header: 'SCOPE', value: (network) => network.Scope },
    { key: 'CreatedAt', header: 'CREATED AT', value: (network) => network.Created, hidden: true },
    { key: 'IPv4', header: 'IPV4', value: (network) => String(network.EnableIPv4), hidden: true },
    { key: 'IPv6', header: 'IPV6', value: (network) => String(network.EnableIPv6), hidden: true },
    {
      key: 'Internal',
      header: 'INTERNAL',
      value: (network) => String(network.Internal),
      hidden: true,
    },
    { key: 'Labels', header: 'LABELS', value: labels, hidden: true },
  ];
  printList(context, networks, columns, flags, id);
}

function labels(network: NetworkObject): string {
  return Object.entries(network.Labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
