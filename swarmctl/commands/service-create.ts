import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { type Context, print } from '../context.ts';
import { collect, toMap } from '../options/parse.ts';
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
} from '../service/flags.ts';
import { authHeaders, pinImage } from '../service/pin-image.ts';
import { waitUntilConverged } from '../service/progress.ts';
import { applyCommonFlags } from '../service/spec.ts';
import { parsePreference, parseUlimit } from '../service/values.ts';
import type { ServiceMode, ServiceSpec } from './api-types.ts';

interface CreateFlags extends CommonFlags {
  capAdd: string[];
  capDrop: string[];
  config: FileFlag[];
  constraint: string[];
  containerLabel: string[];
  dns: string[];
  dnsOption: string[];
  dnsSearch: string[];
  env: string[];
  envFile: string[];
  group: string[];
  host: string[];
  label: string[];
  mode: string;
  mount: Record<string, unknown>[];
  name?: string;
  network: NetworkFlag[];
  placementPref: { Spread: { SpreadDescriptor: string } }[];
  publish: PortConfig[];
  secret: FileFlag[];
  sysctl: string[];
  ulimit: { Name: string; Soft: number; Hard: number }[];
}

const MODES = ['replicated', 'global', 'replicated-job', 'global-job'];

/** For repeatable options whose values are parsed. */
export const collectParsed =
  <T>(parse: (text: string) => T) =>
  (value: string, before: T[] = []): T[] => [...before, parse(value)];

export function addServiceCreate(service: Command, context: Context): void {
  const command = service
    .command('create')
    .description('Create a service')
    .argument('<image>')
    .argument('[command...]', 'command and arguments, instead of the image’s')
    .passThroughOptions()
    .option('--cap-add <capability>', 'add a Linux capability', collect, [])
    .option('--cap-drop <capability>', 'drop a Linux capability', collect, [])
    .option('--config <config>', 'name, or source=…,target=…', collectParsed(parseFile), [])
    .option('--constraint <expression>', 'where tasks may run, e.g. node.role==worker', collect, [])
    .option('--container-label <key=value>', 'label of the containers', collect, [])
    .option('--dns <ip>', 'DNS server', collect, [])
    .option('--dns-option <option>', 'DNS option', collect, [])
    .option('--dns-search <domain>', 'DNS search domain', collect, [])
    .option('-e, --env <key=value>', 'environment; KEY alone takes yours', collect, [])
    .option('--env-file <file>', 'file of environment variables', collect, [])
    .option('--group <group>', 'additional group', collect, [])
    .option('--host <host:ip>', 'line of /etc/hosts', collect, [])
    .option('-l, --label <key=value>', 'label of the service', collect, [])
    .addOption(new Option('--mode <mode>', 'kind of service').choices(MODES).default('replicated'))
    .option('--mount <mount>', 'type=…,source=…,target=…', collectParsed(parseMount), [])
    .option('--name <name>', 'name of the service')
    .option('--network <network>', 'name, or name=…,alias=…', collectParsed(parseNetwork), [])
    .option('--placement-pref <pref>', 'spread=node.labels.X', collectParsed(parsePreference), [])
    .option('-p, --publish <port>', '[PUBLISHED:]TARGET[/PROTOCOL]', collectPublish, [])
    .option('--secret <secret>', 'name, or source=…,target=…', collectParsed(parseFile), [])
    .option('--sysctl <key=value>', 'kernel parameter', collect, [])
    .option('--ulimit <name=soft[:hard]>', 'ulimit', collectParsed(parseUlimit), []);
  addUpdateFlags(addCommonFlags(command)).action(
    async (image: string, args: string[], flags: CreateFlags) =>
      create(context, image, args, flags),
  );
}

async function create(
  context: Context,
  image: string,
  args: readonly string[],
  flags: CreateFlags,
) {
  const bare = await bareSpec(context, image, args, flags);
  const spec = await pinImage(context, applyCommonFlags(bare, flags), flags.resolveImage !== false);
  const { ID, Warnings } = await context.api.post<{ ID: string; Warnings?: string[] }>(
    '/services/create',
    { body: spec, headers: await authHeaders(context, spec, flags) },
  );
  for (const warning of Warnings ?? []) context.err.write(`${warning}\n`);
  print(context, ID);
  if (!flags.detach && !flags.quiet) await waitUntilConverged(context, ID);
}

async function bareSpec(
  context: Context,
  image: string,
  args: readonly string[],
  flags: CreateFlags,
): Promise<ServiceSpec> {
  const [networks, secrets, configs] = await Promise.all([
    resolveNetworks(context, flags.network),
    resolveFiles(context, 'secret', flags.secret),
    resolveFiles(context, 'config', flags.config),
  ]);
  return {
    Name: flags.name ?? '',
    Labels: toMap(flags.label),
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Labels: toMap(flags.containerLabel),
        ...(args.length > 0 ? { Args: [...args] } : {}),
        Env: environment(flags),
        Groups: flags.group,
        Mounts: flags.mount,
        Secrets: secrets,
        Configs: configs,
        Hosts: flags.host.map(hostLine),
        DNSConfig: {
          Nameservers: flags.dns,
          Search: flags.dnsSearch,
          Options: flags.dnsOption,
        },
        Sysctls: toMap(flags.sysctl),
        CapabilityAdd: flags.capAdd,
        CapabilityDrop: flags.capDrop,
        Ulimits: flags.ulimit,
      },
      Placement: { Constraints: flags.constraint, Preferences: flags.placementPref },
      Networks: networks,
      ForceUpdate: 0,
    },
    Mode: modeOf(flags.mode),
    EndpointSpec: { Mode: 'vip', Ports: flags.publish },
  };
}

function modeOf(mode: string): ServiceMode {
  if (mode === 'global') return { Global: {} };
  if (mode === 'global-job') return { GlobalJob: {} };
  if (mode === 'replicated-job')
    return { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } };
  return { Replicated: { Replicas: 1 } };
}

function environment(flags: CreateFlags): string[] {
  const fromFiles = flags.envFile.flatMap(readEnvFile);
  return [...fromFiles, ...flags.env].flatMap(withOwnValue);
}

/** `KEY` without a value takes the caller's, if there is one. */
export function withOwnValue(entry: string): string[] {
  if (entry.includes('=')) return [entry];
  const value = process.env[entry];
  return value === undefined ? [] : [`${entry}=${value}`];
}

function readEnvFile(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError(`cannot read --env-file ${path}: ${(error as Error).message}`);
  }
  return text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

/** "name:IP" to the "IP name" of the spec. */
export function hostLine(text: string): string {
  const separator = text.search(/[:=]/);
  if (separator < 1) throw new CliError(`invalid --host "${text}": use HOST:IP`);
  return `${text.slice(separator + 1)} ${text.slice(0, separator)}`;
}
