import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { download } from '../backup/download.ts';
import type { BackupManifest } from '../backup/manifest.ts';
import { CliError } from '../cli-error.ts';
import { ApiError } from '../client.ts';
import { type Context, describeError, print } from '../context.ts';
import { humanSize } from '../output/human.ts';
import type { Info } from './api-types.ts';

interface BackupFlags {
  output?: string;
  local?: boolean;
  force?: boolean;
}

/** `swarm backup`: everything that `swarm recover` needs, in one file. */
export function addBackupCommand(swarm: Command, context: Context): void {
  swarm
    .command('backup')
    .description('Save the state of the swarm while it runs, from any manager')
    .option('-o, --output <file>', 'instead of swarm-backup-<date>.tar')
    .option('--local', 'what this manager knows, also without a leader; may lag')
    .option('-f, --force', 'replace the file')
    .action((flags: BackupFlags) => backup(context, flags));
}

async function backup(context: Context, flags: BackupFlags): Promise<void> {
  const { SystemTime } = await context.api.get<Info & { SystemTime: string }>('/info');
  const path = flags.output ?? `swarm-backup-${stamp(SystemTime)}.tar`;
  await checkFree(path, flags.force ?? false);
  const manifest = await download(await source(context, flags), path);
  const { size } = await stat(path);
  print(context, `Saved and verified ${path} (${humanSize(size)}):`);
  for (const line of describeBackup(manifest)) print(context, `  ${line}`);
  context.err.write(
    manifest.locked
      ? 'It is locked: recovering it takes the unlock key that the managers have now.\n'
      : 'It is not encrypted: whoever has this file has every secret of the swarm. (--autolock locks it.)\n',
  );
}

async function source(context: Context, { local }: BackupFlags): Promise<Readable> {
  try {
    const query = local ? { local: 1 } : {};
    return await context.api.stream('GET', '/swarm/backup', { query });
  } catch (error) {
    if (!(error instanceof ApiError) || !/does not have a leader/.test(error.message)) throw error;
    throw new CliError(`${describeError(error)}\n--local saves what this manager knows.`);
  }
}

/** Checked before the backup is made, because afterwards the work would be lost. */
async function checkFree(path: string, force: boolean): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (!there) return;
  if (there.isDirectory()) throw new CliError(`${path} is a directory: name a file in it`);
  if (!there.isFile()) throw new CliError(`${path} is not a file`);
  if (!force) throw new CliError(`${path} exists: --force replaces it`);
}

/** What is in a backup, for people. */
export function describeBackup(manifest: BackupManifest): string[] {
  const { clusterId, nodeId, createdAt, index, objects } = manifest;
  const counts = Object.entries(objects)
    .filter(([kind, count]) => count > 0 && kind !== 'cluster')
    .map(([kind, count]) => `${count} ${kind}${count === 1 ? '' : 's'}`);
  return [
    `cluster ${clusterId}, as manager ${nodeId} knew it at ${createdAt} (log index ${index})`,
    counts.join(', '),
  ];
}

/** The time of the node, as a part of a file name. */
function stamp(time: string): string {
  return time.replace(/\.\d+/, '').replace(/[^0-9TZ]/g, '');
}
