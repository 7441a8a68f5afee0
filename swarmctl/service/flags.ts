import { type Command, InvalidArgumentError, Option } from 'commander';
import { addHealthFlags, type HealthFlags } from '../options/health.ts';
import {
  collect,
  parseBytes,
  parseCount,
  parseCpus,
  parseDecimal,
  parseDuration,
  parseInteger,
} from '../options/parse.ts';
import { type PortConfig, parsePublish } from '../options/publish.ts';

const oneOf = (flags: string, text: string, choices: readonly string[]) =>
  new Option(flags, text).choices(choices);

const ACTIONS = ['pause', 'continue', 'rollback'];
const ORDERS = ['stop-first', 'start-first'];

/** Options that `service create` and `service update` share: one value each. */
export interface CommonFlags extends HealthFlags {
  containerLabel?: string[];
  detach?: boolean;
  quiet?: boolean;
  endpointMode?: string;
  entrypoint?: string;
  hostname?: string;
  init?: boolean;
  limitCpu?: number;
  limitMemory?: number;
  limitPids?: number;
  logDriver?: string;
  logOpt?: string[];
  maxConcurrent?: number;
  resolveImage?: boolean;
  oomScoreAdj?: number;
  readOnly?: boolean;
  replicas?: number;
  replicasMaxPerNode?: number;
  reserveCpu?: number;
  reserveMemory?: number;
  restartCondition?: string;
  restartDelay?: number;
  restartMaxAttempts?: number;
  restartWindow?: number;
  rollbackDelay?: number;
  rollbackFailureAction?: string;
  rollbackMaxFailureRatio?: number;
  rollbackMonitor?: number;
  rollbackOrder?: string;
  rollbackParallelism?: number;
  stopGracePeriod?: number;
  stopSignal?: string;
  tty?: boolean;
  updateDelay?: number;
  updateFailureAction?: string;
  updateMaxFailureRatio?: number;
  updateMonitor?: number;
  updateOrder?: string;
  updateParallelism?: number;
  user?: string;
  withRegistryAuth?: boolean;
  workdir?: string;
}

export function addCommonFlags(command: Command): Command {
  return addHealthFlags(command)
    .option('-d, --detach', 'do not wait until the service has converged')
    .option('-q, --quiet', 'no progress')
    .addOption(oneOf('--endpoint-mode <mode>', 'how its name is answered', ['vip', 'dnsrr']))
    .option('--entrypoint <command>', "instead of the image's entrypoint")
    .option('--hostname <name>', 'host name of the containers')
    .option('--init', 'an init in each container that reaps processes')
    .option('--limit-cpu <decimal>', 'most CPUs', parseCpus)
    .option('--limit-memory <bytes>', 'most memory', parseBytes)
    .option('--limit-pids <n>', 'most processes, 0 is no limit', parseCount)
    .option('--log-driver <name>', 'log driver')
    .option('--log-opt <key=value>', 'option of it', collect)
    .option('--max-concurrent <n>', 'tasks of a job at a time', parseCount)
    .option('--no-resolve-image', 'do not ask the registry for the digest')
    .option('--oom-score-adj <n>', "the host's preference when memory is short", parseInteger)
    .option('--read-only', 'read-only root file system')
    .option('--replicas <n>', 'number of tasks', parseCount)
    .option('--replicas-max-per-node <n>', 'most tasks per node, 0 is no limit', parseCount)
    .option('--reserve-cpu <decimal>', 'CPUs to reserve', parseCpus)
    .option('--reserve-memory <bytes>', 'memory to reserve', parseBytes)
    .addOption(
      oneOf('--restart-condition <when>', 'when a task is replaced', ['none', 'on-failure', 'any']),
    )
    .option('--restart-delay <duration>', 'wait before that', parseDuration)
    .option('--restart-max-attempts <n>', 'give up after', parseCount)
    .option('--restart-window <duration>', 'attempts within this time count', parseDuration)
    .option('--stop-grace-period <duration>', 'wait before SIGKILL', parseDuration)
    .option('--stop-signal <signal>', 'signal that stops the container')
    .option('-t, --tty', 'a pseudo terminal')
    .option('-u, --user <name|uid[:group|gid]>', 'who runs it')
    .option('--with-registry-auth', 'pass your registry login on to the nodes')
    .option('-w, --workdir <path>', 'working directory');
}

/** `--update-…` and `--rollback-…`. */
export function addUpdateFlags(command: Command): Command {
  for (const kind of ['update', 'rollback']) {
    command
      .option(`--${kind}-delay <duration>`, `wait between tasks of the ${kind}`, parseDuration)
      .addOption(oneOf(`--${kind}-failure-action <action>`, `when the ${kind} fails`, ACTIONS))
      .option(`--${kind}-max-failure-ratio <ratio>`, 'failures to tolerate', parseDecimal)
      .option(`--${kind}-monitor <duration>`, 'how long to watch each task', parseDuration)
      .addOption(oneOf(`--${kind}-order <order>`, 'which comes first', ORDERS))
      .option(`--${kind}-parallelism <n>`, 'tasks at a time, 0 is all', parseCount);
  }
  return command;
}

export const collectPublish = (value: string, before: PortConfig[] = []): PortConfig[] => [
  ...before,
  ...parsePublish(value),
];

/** An argument that shells would split: quotes and backslashes as in sh, nothing expanded. */
export function splitCommand(text: string): string[] {
  const words: string[] = [];
  const pattern = /\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+)/gy;
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    end = match.index + match[0].length;
    words.push(
      (match[1] as string).replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, (_all, a, b, c) =>
        a !== undefined ? a.replace(/\\(["\\$`])/g, '$1') : (b ?? c),
      ),
    );
  }
  if (text.slice(end).trim() !== '') throw new InvalidArgumentError(`"${text}" has an open quote.`);
  return words;
}
