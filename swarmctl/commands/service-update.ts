import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { type Context, print } from '../context.ts';
import { collect, splitPair, toMap } from '../options/parse.ts';
import type { PortConfig } from '../options/publish.ts';
import {
  type FileFlag,
  type NetworkFlag,
  parseFile,
  parseMount,
  parseNetwork,
  resolveFiles,
  resolveNetworks,
} from '../service/attachments.ts';
import {
  addCommonFlags,
  addUpdateFlags,
  type CommonFlags,
  collectPublish,
  splitCommand,
} from '../service/flags.ts';
import { changeKeyed, changeList, changeMap, removePorts } from '../service/list-changes.ts';
import { authHeaders, pinImage } from '../service/pin-image.ts';
import { waitUntilConverged } from '../service/progress.ts';
import { applyCommonFlags } from '../service/spec.ts';
import { parsePreference, parseUlimit } from '../service/values.ts';
import type { ContainerSpec, ServiceObject, ServiceSpec, TaskTemplate } from './api-types.ts';
import { collectParsed, hostLine, withOwnValue } from './service-create.ts';

type Preference = { Spread: { SpreadDescriptor: string } };
type Ulimit = { Name: string; Soft: number; Hard: number };

interface UpdateFlags extends CommonFlags {
  args?: string;
  force?: boolean;
  image?: string;
  rollback?: boolean;
  configAdd: FileFlag[];
  mountAdd: Record<string, unknown>[];
  networkAdd: NetworkFlag[];
  placementPrefAdd: Preference[];
  placementPrefRm: Preference[];
  publishAdd: PortConfig[];
  secretAdd: FileFlag[];
  ulimitAdd: Ulimit[];
  /** capAdd, capDrop, constraintAdd, constraintRm, envAdd, envRm, … as they are given. */
  [list: string]: unknown;
}

/** Options of plain strings that come as `--X-add` and `--X-rm`. */
const LISTS = [
  ['constraint', '<expression>'],
  ['container-label', '<key=value>'],
  ['dns', '<ip>'],
  ['dns-option', '<option>'],
  ['dns-search', '<domain>'],
  ['env', '<key=value>'],
  ['group', '<group>'],
  ['host', '<host:ip>'],
  ['label', '<key=value>'],
  ['sysctl', '<key=value>'],
] as const;

export function addServiceUpdate(service: Command, context: Context): void {
  const command = service
    .command('update')
    .description('Change a service')
    .argument('<service>')
    .option('--args <command>', 'arguments of the command')
    .option('--force', 'replace the tasks even if nothing changed')
    .option('--image <image>', 'another image')
    .option('--rollback', 'go back to the previous spec')
    .option('--cap-add <capability>', 'add a Linux capability', collect, [])
    .option('--cap-drop <capability>', 'drop a Linux capability', collect, [])
    .option('--config-add <config>', 'add a config', collectParsed(parseFile), [])
    .option('--config-rm <name>', 'remove a config', collect, [])
    .option('--mount-add <mount>', 'add a mount', collectParsed(parseMount), [])
    .option('--mount-rm <target>', 'remove a mount', collect, [])
    .option('--network-add <network>', 'add a network', collectParsed(parseNetwork), [])
    .option('--network-rm <network>', 'remove a network', collect, [])
    .option('--placement-pref-add <pref>', 'add a preference', collectParsed(parsePreference), [])
    .option('--placement-pref-rm <pref>', 'remove a preference', collectParsed(parsePreference), [])
    .option('--publish-add <port>', 'publish a port', collectPublish, [])
    .option('--publish-rm <port>', 'TARGET[/PROTOCOL] or PUBLISHED:TARGET', collect, [])
    .option('--secret-add <secret>', 'add a secret', collectParsed(parseFile), [])
    .option('--secret-rm <name>', 'remove a secret', collect, [])
    .option('--ulimit-add <name=soft[:hard]>', 'add a ulimit', collectParsed(parseUlimit), [])
    .option('--ulimit-rm <name>', 'remove a ulimit', collect, []);
  for (const [name, value] of LISTS) {
    command.option(`--${name}-add ${value}`, `add or change a ${name}`, collect, []);
    command.option(`--${name}-rm <key>`, `remove a ${name}`, collect, []);
  }
  addUpdateFlags(addCommonFlags(command)).action((name: string, flags: UpdateFlags) =>
    update(context, name, flags),
  );
  service
    .command('rollback')
    .description('Go back to the previous spec of a service')
    .argument('<service>')
    .option('-d, --detach', 'do not wait until the service has converged')
    .option('-q, --quiet', 'no progress')
    .action((name: string, flags) => rollback(context, name, flags));
}

async function update(context: Context, name: string, flags: UpdateFlags): Promise<void> {
  if (flags.rollback) return rollback(context, name, flags);
  const service = await context.api.get<ServiceObject>(`/services/${encodeURIComponent(name)}`);
  const changed = applyCommonFlags(await applyLists(context, service.Spec, flags), flags);
  const resolve = flags.image !== undefined && flags.resolveImage !== false;
  const { Warnings } = await context.api.post<{ Warnings?: string[] | null }>(
    `/services/${service.ID}/update`,
    {
      query: { version: service.Version.Index, registryAuthFrom: 'spec' },
      body: await pinImage(context, changed, resolve),
      headers: await authHeaders(context, changed, flags),
    },
  );
  for (const warning of Warnings ?? []) context.err.write(`${warning}\n`);
  print(context, name);
  if (!flags.detach && !flags.quiet) await waitUntilConverged(context, service.ID);
}

async function rollback(context: Context, name: string, flags: CommonFlags): Promise<void> {
  const service = await context.api.get<ServiceObject>(`/services/${encodeURIComponent(name)}`);
  await context.api.post(`/services/${service.ID}/update`, {
    query: { version: service.Version.Index, rollback: 'previous' },
    body: service.Spec,
  });
  print(context, name);
  if (!flags.detach && !flags.quiet) await waitUntilConverged(context, service.ID);
}

const strings = (flags: UpdateFlags, name: string) => (flags[name] ?? []) as string[];

async function applyLists(
  context: Context,
  spec: ServiceSpec,
  flags: UpdateFlags,
): Promise<ServiceSpec> {
  const ports = removePorts(spec.EndpointSpec?.Ports ?? [], strings(flags, 'publishRm'));
  return {
    ...spec,
    Labels: changeMap(spec.Labels, toMap(strings(flags, 'labelAdd')), strings(flags, 'labelRm')),
    TaskTemplate: await changeTask(context, spec.TaskTemplate, flags),
    EndpointSpec: {
      ...spec.EndpointSpec,
      Ports: changeKeyed(
        ports,
        flags.publishAdd as never[],
        [],
        (port) => `${port.PublishedPort}:${port.TargetPort}/${port.Protocol}`,
      ),
    },
  };
}

async function changeTask(
  context: Context,
  task: TaskTemplate,
  flags: UpdateFlags,
): Promise<TaskTemplate> {
  const container = task.ContainerSpec;
  if (!container) throw new CliError('only services of containers can be changed');
  const { Placement: placement } = task;
  const spread = (preference: Preference) => preference.Spread.SpreadDescriptor;
  return {
    ...task,
    ContainerSpec: await changeContainer(context, container, flags),
    Placement: {
      ...placement,
      Constraints: changeList(
        placement?.Constraints,
        strings(flags, 'constraintAdd'),
        strings(flags, 'constraintRm'),
      ),
      Preferences: changeKeyed(
        placement?.Preferences,
        flags.placementPrefAdd,
        flags.placementPrefRm.map(spread),
        spread,
      ),
    },
    Networks: await changeNetworks(context, task, flags),
    ForceUpdate: (task.ForceUpdate ?? 0) + (flags.force ? 1 : 0),
  };
}

async function changeNetworks(context: Context, task: TaskTemplate, flags: UpdateFlags) {
  const [added, removed] = await Promise.all([
    resolveNetworks(context, flags.networkAdd),
    resolveNetworks(
      context,
      strings(flags, 'networkRm').map((Target) => ({ Target })),
    ),
  ]);
  const gone = removed.map(({ Target }) => Target);
  for (const { Target } of added) {
    if ((task.Networks ?? []).some((n) => n.Target === Target) && !gone.includes(Target)) {
      throw new CliError('service is already attached to network');
    }
  }
  return changeKeyed(task.Networks, added, gone, ({ Target }) => Target);
}

async function changeContainer(
  context: Context,
  container: ContainerSpec,
  flags: UpdateFlags,
): Promise<ContainerSpec> {
  const [secrets, configs] = await Promise.all([
    resolveFiles(context, 'secret', flags.secretAdd),
    resolveFiles(context, 'config', flags.configAdd),
  ]);
  const list = (before: string[] | undefined, name: string) =>
    changeList(before, strings(flags, `${name}Add`), strings(flags, `${name}Rm`));
  const map = (before: Record<string, string> | undefined, name: string) =>
    changeMap(before, toMap(strings(flags, `${name}Add`)), strings(flags, `${name}Rm`));
  const environment = strings(flags, 'envAdd').flatMap(withOwnValue);
  const dns = container.DNSConfig;
  return {
    ...container,
    ...(flags.image === undefined ? {} : { Image: flags.image }),
    ...(flags.args === undefined ? {} : { Args: splitCommand(flags.args) }),
    Env: changeKeyed(container.Env, environment, strings(flags, 'envRm'), (e) => splitPair(e)[0]),
    Labels: map(container.Labels, 'containerLabel'),
    Sysctls: map(container.Sysctls, 'sysctl'),
    Groups: list(container.Groups, 'group'),
    Hosts: changeList(
      container.Hosts,
      strings(flags, 'hostAdd').map(hostLine),
      strings(flags, 'hostRm').map(hostLine),
    ),
    DNSConfig: {
      Nameservers: list(dns?.Nameservers, 'dns'),
      Search: list(dns?.Search, 'dnsSearch'),
      Options: list(dns?.Options, 'dnsOption'),
    },
    Mounts: changeKeyed(container.Mounts, flags.mountAdd, strings(flags, 'mountRm'), (mount) =>
      String(mount['Target']),
    ),
    Secrets: changeKeyed(container.Secrets, secrets, strings(flags, 'secretRm'), (s) =>
      String(s['SecretName']),
    ),
    Configs: changeKeyed(container.Configs, configs, strings(flags, 'configRm'), (c) =>
      String(c['ConfigName']),
    ),
    Ulimits: changeKeyed(
      container.Ulimits,
      flags.ulimitAdd,
      strings(flags, 'ulimitRm'),
      ({ Name }) => Name,
    ),
    CapabilityAdd: changeList(
      container.CapabilityAdd,
      strings(flags, 'capAdd'),
      strings(flags, 'capDrop'),
    ),
    CapabilityDrop: changeList(
      container.CapabilityDrop,
      strings(flags, 'capDrop'),
      strings(flags, 'capAdd'),
    ),
  };
}
