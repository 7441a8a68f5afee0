import { type Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { type Context, print } from '../context.ts';
import {
  collect,
  parseBoolean,
  parseCount,
  parseDuration,
  parseInteger,
} from '../options/parse.ts';
import type { Info, NodeObject, Swarm } from './api-types.ts';
import { addBackupCommand } from './swarm-backup.ts';
import {
  addCaCommand,
  type ExternalCaFlag,
  externalCaOption,
  readExternalCas,
} from './swarm-ca.ts';
import { addLockCommands, unlockText, warnOfAway } from './swarm-lock.ts';
import { addRecoverCommand } from './swarm-recover.ts';

const DEFAULT_LISTEN = '0.0.0.0:2377';

interface SpecFlags {
  autolock?: boolean;
  certExpiry?: number;
  dispatcherHeartbeat?: number;
  externalCa?: readonly ExternalCaFlag[];
  maxSnapshots?: number;
  snapshotInterval?: number;
  taskHistoryLimit?: number;
}

interface JoinFlags {
  listenAddr: string;
  advertiseAddr?: string;
  dataPathAddr?: string;
  availability: string;
}

/** `swarmctl swarm …`, and the short forms init, join, join-token, leave and ca. */
export function addSwarmCommands(program: Command, context: Context): void {
  const swarm = program.command('swarm').description('Manage the swarm');
  for (const parent of [swarm, program]) {
    addInit(parent, context);
    addJoin(parent, context);
    addJoinToken(parent, context);
    addLeave(parent, context);
    addCaCommand(parent, context);
  }
  addUpdate(swarm, context);
  addLockCommands(swarm, context);
  addBackupCommand(swarm, context);
  addRecoverCommand(swarm, context);
}

function addInit(parent: Command, context: Context): void {
  const command = parent.command('init').description('Make this node the first manager of a swarm');
  addAddressOptions(command)
    .option('--data-path-port <port>', 'UDP port of the data path, 1024 - 49151', parseCount, 0)
    .option('--default-addr-pool <cidr>', 'pool of subnets for networks', collect, [])
    .option('--default-addr-pool-mask-length <n>', 'prefix length of those subnets', parseCount, 24)
    .option('--force-new-cluster', 'make this manager the only one, the others being lost');
  addSpecOptions(command).action(async (flags) => {
    const body = {
      ListenAddr: flags.listenAddr,
      AdvertiseAddr: flags.advertiseAddr ?? '',
      DataPathAddr: flags.dataPathAddr ?? '',
      DataPathPort: flags.dataPathPort,
      ForceNewCluster: flags.forceNewCluster ?? false,
      AutoLockManagers: flags.autolock ?? false,
      Availability: flags.availability,
      DefaultAddrPool: flags.defaultAddrPool,
      SubnetSize: flags.defaultAddrPoolMaskLength,
      Spec: specOf(await withFiles(flags), emptySpec()),
    };
    const id = await context.api.post<string>('/swarm/init', { body });
    print(context, `Swarm initialized: current node (${id}) is now a manager.\n`);
    await printJoinCommand(context, 'worker');
    print(
      context,
      "\nTo add a manager to this swarm, run 'swarmctl join-token manager' and follow the instructions.",
    );
    if (flags.autolock) await printUnlockKey(context);
  });
}

function addJoin(parent: Command, context: Context): void {
  const command = parent
    .command('join')
    .description('Join a swarm as a worker or a manager')
    .argument('<host:port>', 'a manager of the swarm')
    .requiredOption('--token <token>', 'what `swarmctl join-token` printed');
  addAddressOptions(command).action(
    async (remote: string, flags: JoinFlags & { token: string }) => {
      const body = {
        ListenAddr: flags.listenAddr,
        AdvertiseAddr: flags.advertiseAddr ?? '',
        DataPathAddr: flags.dataPathAddr ?? '',
        RemoteAddrs: [remote],
        JoinToken: flags.token,
        Availability: flags.availability,
      };
      await context.api.post('/swarm/join', { body });
      const info = await context.api.get<Info>('/info');
      const role = info.Swarm.ControlAvailable ? 'manager' : 'worker';
      print(context, `This node joined a swarm as a ${role}.`);
    },
  );
}

function addJoinToken(parent: Command, context: Context): void {
  parent
    .command('join-token')
    .description('Print the command that joins another node')
    .argument('<worker|manager>', 'the role of that node', parseRole)
    .option('-q, --quiet', 'only the token')
    .option('--rotate', 'make a new token; the old one joins nobody any more')
    .action(async (role: Role, flags) => {
      if (flags.rotate) {
        await updateSwarm(context, (spec) => spec, { [`rotate${capital(role)}Token`]: true });
        if (!flags.quiet) print(context, `Successfully rotated ${role} join token.\n`);
      }
      if (flags.quiet) print(context, tokenOf(await context.api.get<Swarm>('/swarm'), role));
      else await printJoinCommand(context, role);
    });
}

function addLeave(parent: Command, context: Context): void {
  parent
    .command('leave')
    .description('Leave the swarm')
    .option('-f, --force', 'also a manager, and whatever the warnings')
    .action(async (flags) => {
      await context.api.post('/swarm/leave', { query: flags.force ? { force: 1 } : {} });
      print(context, 'Node left the swarm.');
    });
}

function addUpdate(swarm: Command, context: Context): void {
  const command = swarm.command('update').description('Change settings of the swarm');
  addSpecOptions(command).action(async (flags: SpecFlags) => {
    if (Object.keys(flags).length === 0) throw new CliError(command.helpInformation());
    const read = await withFiles(flags);
    await updateSwarm(context, (spec) => specOf(read, spec), {});
    print(context, 'Swarm updated.');
  });
}

function addAddressOptions(command: Command): Command {
  return command
    .option('--advertise-addr <address>', 'IP, interface or IP:PORT that others reach this node by')
    .option('--data-path-addr <address>', 'IP or interface of the traffic between containers')
    .option('--listen-addr <address>', 'where a manager listens', DEFAULT_LISTEN)
    .option('--availability <state>', 'active, pause or drain', parseAvailability, 'active');
}

function addSpecOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--autolock [true|false]', 'lock managers with a key that restarts ask for')
        .argParser(parseBoolean)
        .preset('true'),
    )
    .option('--no-autolock', 'do not lock managers')
    .option('--cert-expiry <duration>', 'validity of node certificates', parseDuration)
    .option('--dispatcher-heartbeat <duration>', 'time between heartbeats', parseDuration)
    .addOption(externalCaOption())
    .option('--max-snapshots <n>', 'old Raft snapshots to keep', parseCount)
    .option('--snapshot-interval <n>', 'log entries between Raft snapshots', parseCount)
    .option('--task-history-limit <n>', 'ended tasks to keep for each slot', parseInteger);
}

type Spec = Swarm['Spec'];

function emptySpec(): Spec {
  return {
    Labels: null,
    Orchestration: {},
    Raft: { ElectionTick: 0, HeartbeatTick: 0 },
    Dispatcher: {},
    CAConfig: {},
    TaskDefaults: {},
    EncryptionConfig: { AutoLockManagers: false },
  };
}

async function withFiles<F extends SpecFlags>(flags: F): Promise<F> {
  const { externalCa } = flags;
  return externalCa ? { ...flags, externalCa: await readExternalCas(externalCa) } : flags;
}

function specOf(flags: SpecFlags, spec: Spec): Spec {
  const set = <T>(key: string, value: T | undefined) =>
    value === undefined ? {} : { [key]: value };
  return {
    ...spec,
    Orchestration: {
      ...spec.Orchestration,
      ...set('TaskHistoryRetentionLimit', flags.taskHistoryLimit),
    },
    Raft: {
      ...spec.Raft,
      ...set('SnapshotInterval', flags.snapshotInterval),
      ...set('KeepOldSnapshots', flags.maxSnapshots),
    },
    Dispatcher: { ...spec.Dispatcher, ...set('HeartbeatPeriod', flags.dispatcherHeartbeat) },
    CAConfig: {
      ...spec.CAConfig,
      ...set('NodeCertExpiry', flags.certExpiry),
      ...set('ExternalCAs', flags.externalCa),
    },
    EncryptionConfig: { ...spec.EncryptionConfig, ...set('AutoLockManagers', flags.autolock) },
  };
}

async function updateSwarm(
  context: Context,
  change: (spec: Spec) => Spec,
  rotate: Record<string, boolean>,
): Promise<void> {
  const swarm = await context.api.get<Swarm>('/swarm');
  await context.api.post('/swarm/update', {
    query: { version: swarm.Version.Index, ...rotate },
    body: change(swarm.Spec),
  });
  const was = swarm.Spec.EncryptionConfig.AutoLockManagers;
  const is = change(swarm.Spec).EncryptionConfig.AutoLockManagers;
  if (is && !was) await printUnlockKey(context);
  if (was && !is) await warnOfAway(context);
}

async function printUnlockKey(context: Context): Promise<void> {
  const { UnlockKey } = await context.api.get<{ UnlockKey: string }>('/swarm/unlockkey');
  if (UnlockKey) print(context, `\n${unlockText(UnlockKey)}`);
}

async function printJoinCommand(context: Context, role: Role): Promise<void> {
  const info = await context.api.get<Info>('/info');
  const node = await context.api.get<NodeObject>(`/nodes/${info.Swarm.NodeID}`);
  const token = tokenOf(await context.api.get<Swarm>('/swarm'), role);
  print(context, `To add a ${role} to this swarm, run the following command:\n`);
  print(context, `    swarmctl join --token ${token} ${node.ManagerStatus?.Addr ?? ''}`);
}

type Role = 'worker' | 'manager';

function tokenOf(swarm: Swarm, role: Role): string {
  return role === 'worker' ? swarm.JoinTokens.Worker : swarm.JoinTokens.Manager;
}

function parseRole(value: string): Role {
  if (value === 'worker' || value === 'manager') return value;
  throw new InvalidArgumentError(`unknown role ${value}`);
}

export function parseAvailability(value: string): string {
  if (['active', 'pause', 'drain'].includes(value)) return value;
  throw new InvalidArgumentError(`"${value}" is not active, pause or drain.`);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
