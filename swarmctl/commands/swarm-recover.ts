import { createReadStream } from 'node:fs';
import { json } from 'node:stream/consumers';
import type { Command } from 'commander';
import { checkBackup } from '../backup/check-backup.ts';
import type { BackupManifest } from '../backup/manifest.ts';
import { CliError } from '../cli-error.ts';
import { type Context, print } from '../context.ts';
import { ask, askSecret } from '../options/ask.ts';
import type { Info, NodeObject } from './api-types.ts';
import { describeBackup } from './swarm-backup.ts';

interface RecoverFlags {
  listenAddr?: string;
  advertiseAddr?: string;
  dataPathAddr?: string;
  yes?: boolean;
}

/** `swarm recover`: from a backup on a new machine, or from the manager that survived. */
export function addRecoverCommand(swarm: Command, context: Context): void {
  swarm
    .command('recover')
    .description('Begin again with one manager: from a backup, or from the state of this manager')
    .argument('[backup]', 'what `swarm backup` wrote; without it, the state of this manager')
    .option('--advertise-addr <address>', 'IP, interface or IP:PORT that others reach this node by')
    .option('--data-path-addr <address>', 'IP or interface of the traffic between containers')
    .option('--listen-addr <address>', 'where the manager listens, if not where it did')
    .option('-y, --yes', 'do not ask')
    .action((file: string | undefined, flags: RecoverFlags) =>
      file === undefined ? fromSurvivor(context, flags) : fromBackup(context, file, flags),
    );
}

async function fromBackup(context: Context, file: string, flags: RecoverFlags): Promise<void> {
  const { Swarm: swarm } = await context.api.get<Info>('/info');
  if (swarm.LocalNodeState !== 'inactive') {
    throw new CliError(
      'this node is part of a swarm: a backup is recovered on a node that is in none (`swarmctl leave` first)',
    );
  }
  const manifest = await checkBackup(file);
  print(context, 'This node becomes the only manager of the swarm in the backup:');
  for (const line of [...describeBackup(manifest), ...consequences(manifest, flags)]) {
    print(context, `  - ${line}`);
  }
  await agree(context, flags);
  const key = manifest.locked ? await askSecret(context, 'Enter unlock key: ') : '';
  const answer = await context.api.upload(
    'POST',
    '/swarm/recover',
    createReadStream(file),
    {
      listenAddr: flags.listenAddr,
      advertiseAddr: flags.advertiseAddr,
      dataPathAddr: flags.dataPathAddr,
    },
    key ? { 'X-Swarm-Unlock-Key': key.trim() } : {},
  );
  recovered(context, (await json(answer)) as string);
}

function consequences({ membership, nodeId }: BackupManifest, flags: RecoverFlags): string[] {
  const others = membership.members.filter((member) => member.nodeId !== nodeId);
  const addr = flags.advertiseAddr ?? 'the address of this machine';
  return [
    `node ${nodeId} was reached elsewhere and is at ${addr} now; its old machine must stay off`,
    ...others.map((member) => `manager ${member.nodeId} (${member.addr}) is a member no more`),
    'what was written after the backup is lost; tasks that are found running elsewhere are reconciled',
    'workers come back by themselves if a manager is at an address they know; others must join again',
  ];
}

async function fromSurvivor(context: Context, flags: RecoverFlags): Promise<void> {
  const { Swarm: swarm } = await context.api.get<Info>('/info');
  if (!swarm.ControlAvailable) throw new CliError(whyNoSurvivor(swarm));
  const healthy = await context.api.get<NodeObject[]>('/nodes').catch(() => undefined);
  if (healthy) {
    print(
      context,
      'WARNING: this swarm has a leader and needs no recovery; the other managers would be cut off.',
    );
  }
  print(context, `This node (${swarm.NodeID}) becomes the only manager of its swarm:`);
  const addr = flags.advertiseAddr ?? swarm.NodeAddr;
  print(context, `  - it is reached at ${addr}`);
  for (const { NodeID, Addr } of swarm.RemoteManagers ?? []) {
    if (NodeID !== swarm.NodeID)
      print(context, `  - manager ${NodeID} (${Addr}) is a member no more`);
  }
  print(context, '  - nothing that was acknowledged and has reached this manager is lost');
  await agree(context, flags);
  const body = {
    ForceNewCluster: true,
    ListenAddr: flags.listenAddr ?? '',
    AdvertiseAddr: flags.advertiseAddr ?? '',
    DataPathAddr: flags.dataPathAddr ?? '',
  };
  recovered(context, await context.api.post<string>('/swarm/init', { body }));
}

function whyNoSurvivor({ LocalNodeState: state, Error: error }: Info['Swarm']): string {
  switch (state) {
    case 'inactive':
      return 'this node is part of no swarm: name the backup to recover from';
    case 'locked':
      return 'this manager is locked: unlock it first, with `swarmctl swarm unlock`';
    default:
      return `this node is not a manager that serves: only managers have the state of the swarm${
        error ? `\n${error}` : ''
      }`;
  }
}

/** Anything but y or yes is no. */
async function agree(context: Context, { yes }: RecoverFlags): Promise<void> {
  if (yes) return;
  const answer = await ask(context, 'Are you sure you want to continue? [y/N] ');
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('Nothing was changed.');
}

function recovered(context: Context, id: string): void {
  print(context, `Swarm recovered: current node (${id}) is its only manager.`);
  print(
    context,
    'Add others with `swarmctl join-token manager`, and remove lost ones with `node rm`.',
  );
}
