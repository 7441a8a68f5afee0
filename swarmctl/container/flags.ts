import { type Command, InvalidArgumentError, Option } from 'commander';
import { type NetworkOption, parseContainerNetwork } from '../options/container-networks.ts';
import { type PortMapping, parseExpose, parseMapping } from '../options/container-ports.ts';
import {
  type Device,
  parseBoolean,
  parseDevice,
  parseHost,
  parseRestart,
  parseStream,
  parseVolume,
  type RestartPolicy,
  type VolumeOption,
} from '../options/container-values.ts';
import { addHealthFlags, type HealthFlags } from '../options/health.ts';
import {
  collect,
  collectParsed,
  parseBytes,
  parseCount,
  parseCpus,
  parseInteger,
} from '../options/parse.ts';
import { parseMount } from '../service/attachments.ts';
import { parseUlimit } from '../service/values.ts';
import { parseDetachKeys } from './detach-keys.ts';

const PULL_POLICIES = ['always', 'missing', 'never'] as const;

/** Options of `run` and `create`. */
export interface CreateFlags extends HealthFlags {
  addHost: string[];
  attach: string[];
  capAdd: string[];
  capDrop: string[];
  cidfile?: string;
  cpuPeriod?: number;
  cpuQuota?: number;
  cpuShares?: number;
  cpus?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  device: Device[];
  dns: string[];
  dnsOption: string[];
  dnsSearch: string[];
  domainname?: string;
  entrypoint?: string;
  env: string[];
  envFile: string[];
  expose: string[];
  groupAdd: string[];
  hostname?: string;
  init?: boolean;
  interactive?: boolean;
  ip?: string;
  ip6?: string;
  label: string[];
  labelFile: string[];
  logDriver?: string;
  logOpt: string[];
  macAddress?: string;
  memory?: number;
  memoryReservation?: number;
  memorySwap?: number;
  memorySwappiness?: number;
  mount: Record<string, unknown>[];
  name?: string;
  network: NetworkOption[];
  networkAlias: string[];
  oomKillDisable?: boolean;
  oomScoreAdj?: number;
  pidsLimit?: number;
  platform?: string;
  privileged?: boolean;
  publish: PortMapping[];
  publishAll?: boolean;
  pull: (typeof PULL_POLICIES)[number];
  quiet?: boolean;
  readOnly?: boolean;
  restart?: RestartPolicy;
  rm?: boolean;
  securityOpt: string[];
  shmSize?: number;
  stopSignal?: string;
  stopTimeout?: number;
  sysctl: string[];
  tmpfs: string[];
  tty?: boolean;
  ulimit: { Name: string; Soft: number; Hard: number }[];
  user?: string;
  volume: VolumeOption[];
  workdir?: string;
}

export interface RunFlags extends CreateFlags {
  detach?: boolean;
  detachKeys?: string;
  sigProxy: boolean;
}

export const DETACH_KEYS = [
  '--detach-keys <keys>',
  'keys that leave the container to itself (default: ctrl-p,ctrl-q)',
  checkDetachKeys,
] as const;

function checkDetachKeys(text: string): string {
  try {
    parseDetachKeys(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

export function addSigProxy(command: Command): Command {
  return command.addOption(
    new Option('--sig-proxy <bool>', 'pass signals on to the process')
      .argParser(parseBoolean)
      .default(true),
  );
}

export function addRunFlags(command: Command): Command {
  const withCreate = addCreateFlags(command)
    .option('-d, --detach', 'run in the background, and print the id')
    .option(...DETACH_KEYS);
  return addSigProxy(withCreate);
}

export function addCreateFlags(command: Command): Command {
  addProcessFlags(command);
  addNetworkFlags(command);
  addStorageFlags(command);
  addResourceFlags(command);
  addSecurityFlags(command);
  return addHealthFlags(command).helpOption('--help', 'display help for command');
}

function addProcessFlags(command: Command): void {
  command
    .option('-a, --attach <stream>', 'stdin, stdout or stderr', collectParsed(parseStream), [])
    .option('--cidfile <file>', 'write the id of the container to a file')
    .option('--entrypoint <command>', "instead of the image's entrypoint")
    .option('-e, --env <key=value>', 'environment; KEY alone takes yours', collect, [])
    .option('--env-file <file>', 'file of environment variables', collect, [])
    .option('--init', 'an init in the container that reaps processes')
    .option('-i, --interactive', 'keep standard input open')
    .option('-l, --label <key=value>', 'label', collect, [])
    .option('--label-file <file>', 'file of labels', collect, [])
    .option('--log-driver <name>', 'json-file, local or none')
    .option('--log-opt <key=value>', 'option of it: max-size, max-file', collect, [])
    .option('--name <name>', 'name of the container')
    .option('--platform <os/arch>', 'platform of the image')
    .addOption(
      new Option('--pull <when>', 'pull the image').choices(PULL_POLICIES).default('missing'),
    )
    .option('-q, --quiet', 'no progress of pulling')
    .option('--restart <policy>', 'no, always, unless-stopped or on-failure[:n]', parseRestart)
    .option('--rm', 'remove the container when it has ended')
    .option('--stop-signal <signal>', 'signal that stops the container')
    .option('--stop-timeout <seconds>', 'wait before SIGKILL', parseInteger)
    .option('-t, --tty', 'a pseudo terminal')
    .option('-u, --user <name|uid[:group|gid]>', 'who runs it')
    .option('-w, --workdir <path>', 'working directory');
}

function addNetworkFlags(command: Command): void {
  command
    .option('--add-host <host:ip>', 'line of /etc/hosts', collectParsed(parseHost), [])
    .option('--dns <ip>', 'DNS server', collect, [])
    .option('--dns-option <option>', 'DNS option', collect, [])
    .option('--dns-search <domain>', 'DNS search domain', collect, [])
    .option('--domainname <name>', 'NIS domain name')
    .option('--expose <port>', 'port or range that it listens on', collectExpose, [])
    .option('-h, --hostname <name>', 'host name')
    .option('--ip <address>', 'IPv4 address')
    .option('--ip6 <address>', 'IPv6 address')
    .option('--mac-address <address>', 'MAC address')
    .option(
      '--network <network>',
      'name, or name=…,alias=…,ip=…',
      collectParsed(parseContainerNetwork),
      [],
    )
    .option('--network-alias <name>', 'another name on the network', collect, [])
    .option('-p, --publish <port>', '[[IP:][HOST]:]CONTAINER[/PROTOCOL]', collectMappings, [])
    .option('-P, --publish-all', 'publish all exposed ports on ports of the node’s choice');
}

const collectExpose = (value: string, before: string[] = []) => [...before, ...parseExpose(value)];

const collectMappings = (value: string, before: PortMapping[] = []) => [
  ...before,
  ...parseMapping(value),
];

function addStorageFlags(command: Command): void {
  command
    .option('--device <device>', 'HOST[:CONTAINER][:rwm]', collectParsed(parseDevice), [])
    .option('--mount <mount>', 'type=…,source=…,target=…', collectParsed(parseMount), [])
    .option('--read-only', 'read-only root file system')
    .option('--shm-size <bytes>', 'size of /dev/shm', parseBytes)
    .option('--tmpfs <path[:options]>', 'file system in memory', collect, [])
    .option('-v, --volume <volume>', '[SOURCE:]TARGET[:OPTIONS]', collectParsed(parseVolume), []);
}

function addResourceFlags(command: Command): void {
  command
    .option('--cpu-period <µs>', 'period of the CPU quota', parseCount)
    .option('--cpu-quota <µs>', 'CPU time in each period', parseInteger)
    .option('-c, --cpu-shares <n>', 'relative weight', parseCount)
    .option('--cpus <decimal>', 'most CPUs', parseCpus)
    .option('--cpuset-cpus <list>', 'CPUs it may run on: 0-3, 0,1')
    .option('--cpuset-mems <list>', 'memory nodes it may use')
    .option('-m, --memory <bytes>', 'most memory', parseBytes)
    .option('--memory-reservation <bytes>', 'memory when it is short', parseBytes)
    .option('--memory-swap <bytes>', 'memory and swap together, -1 is no limit', parseSwap)
    .option('--memory-swappiness <percent>', 'readiness to swap, 0 to 100', parseInteger)
    .option('--oom-kill-disable', 'not ended when memory is short')
    .option('--oom-score-adj <n>', "the host's preference when memory is short", parseInteger)
    .option('--pids-limit <n>', 'most processes, -1 is no limit', parseInteger)
    .option('--ulimit <name=soft[:hard]>', 'ulimit', collectParsed(parseUlimit), []);
}

const parseSwap = (text: string): number => (text === '-1' ? -1 : parseBytes(text));

function addSecurityFlags(command: Command): void {
  command
    .option('--cap-add <capability>', 'add a Linux capability', collect, [])
    .option('--cap-drop <capability>', 'drop a Linux capability', collect, [])
    .option('--group-add <group>', 'additional group', collect, [])
    .option('--privileged', 'all capabilities and devices')
    .option('--security-opt <option>', 'no-new-privileges, seccomp=…', collect, [])
    .option('--sysctl <key=value>', 'kernel parameter', collect, []);
}
