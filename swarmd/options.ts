import { Command, InvalidArgumentError, Option } from 'commander';

/** The flags of `swarmd`. */
export interface DaemonOptions {
  readonly stateDir: string;
  readonly runDir: string;
  /** unix:///path or tcp://host:port; the first is for `swarmctl`. */
  readonly host: readonly string[];
  /** Socket of a containerd that runs already; without it swarmd starts one of its own. */
  readonly containerd?: string;
  readonly insecureRegistry: readonly string[];
  readonly label: readonly string[];
  readonly cgroupParent: string;
  readonly gossipPort: number;
  readonly logLevel: string;
  /** host:port; without it, metrics are at /metrics of the API alone. */
  readonly metricsAddr?: string;
  readonly tlscacert?: string;
  readonly tlscert?: string;
  readonly tlskey?: string;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];
const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** Reads the command line; prints help or what is wrong and ends the process where there is. */
export function parseOptions(argv: readonly string[]): DaemonOptions {
  return createDaemonCommand().parse(argv).opts<DaemonOptions>();
}

export function createDaemonCommand(): Command {
  return new Command('swarmd')
    .description(
      'The daemon of one node: runs its containers, joins it to a swarm, serves the API.',
    )
    .option('--state-dir <path>', 'what must survive a reboot', '/var/lib/swarm')
    .option('--run-dir <path>', 'sockets and what may be lost at a reboot', '/run/swarm')
    .option(
      '-H, --host <address>',
      'unix:///path or tcp://host:port to serve the API on',
      collect,
      [],
    )
    .option('--tlscacert <file>', 'clients of tcp hosts must have a certificate of this CA')
    .option('--tlscert <file>', 'certificate of tcp hosts')
    .option('--tlskey <file>', 'its key')
    .option('--containerd <socket>', 'use this containerd instead of starting one')
    .option('--insecure-registry <host>', 'a registry reached without TLS', collect, [])
    .option('--label <key=value>', 'engine label of this node', label, [])
    .option('--cgroup-parent <path>', 'where containers have their control groups', '/swarm')
    .option('--gossip-port <port>', 'port of gossip', port, 7946)
    .option('--metrics-addr <host:port>', 'serve /metrics, and nothing else, on a tcp port too')
    .addOption(new Option('--log-level <level>', 'what is logged').choices(LEVELS).default('info'));
}

function label(value: string, before: readonly string[]): string[] {
  if (!/^[^=]+=/.test(value)) throw new InvalidArgumentError('A label is written key=value.');
  return [...before, value];
}

function port(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= 65535) return number;
  throw new InvalidArgumentError('A port is a number from 1 to 65535.');
}
