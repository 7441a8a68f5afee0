import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { type Context, print } from '../context.ts';
import { askSecret } from '../options/ask.ts';
import type { Info, NodeObject, Swarm } from './api-types.ts';

/** `swarm unlock` and `swarm unlock-key`. */
export function addLockCommands(swarm: Command, context: Context): void {
  swarm
    .command('unlock')
    .description('Unlock this manager after a restart')
    .action(() => unlock(context));
  swarm
    .command('unlock-key')
    .description('Print the key that unlocks managers')
    .option('-q, --quiet', 'only the key')
    .option('--rotate', 'make a new key; managers that are away need the old one once more')
    .action((flags: { quiet?: boolean; rotate?: boolean }) => unlockKey(context, flags));
}

/**
 * Managers that are away while the key is rotated or removed still need the old one. Names them, so that
 * the user keeps it.
 */
export async function warnOfAway(context: Context): Promise<void> {
  const nodes = await context.api.get<NodeObject[]>('/nodes').catch(() => []);
  const away = nodes.filter(({ ManagerStatus }) => ManagerStatus?.Reachability === 'unreachable');
  if (away.length === 0) return;
  const names = away.map(({ ID, Description }) => Description.Hostname || ID).join(', ');
  context.err.write(
    `WARNING: keep the old key: managers that are away need it once more: ${names}\n`,
  );
}

/** What a user must keep. */
export function unlockText(key: string): string {
  return `To unlock a swarm manager after it restarts, run the \`swarmctl swarm unlock\`
command and provide the following key:

    ${key}

Remember to store this key in a password manager, since without it you
will not be able to restart the manager.`;
}

async function unlock(context: Context): Promise<void> {
  const { Swarm: swarm } = await context.api.get<Info>('/info');
  if (swarm.LocalNodeState === 'inactive') {
    throw new CliError('Error: This node is not part of a swarm');
  }
  if (swarm.LocalNodeState !== 'locked') throw new CliError('Error: swarm is not locked');
  const key = await askSecret(context, 'Enter unlock key: ');
  await context.api.post('/swarm/unlock', { body: { UnlockKey: key.trim() } });
}

async function unlockKey(
  context: Context,
  flags: { quiet?: boolean; rotate?: boolean },
): Promise<void> {
  if (flags.rotate) {
    const { Spec, Version } = await context.api.get<Swarm>('/swarm');
    if (!Spec.EncryptionConfig.AutoLockManagers) {
      throw new CliError('cannot rotate because autolock is not turned on');
    }
    await context.api.post('/swarm/update', {
      query: { version: Version.Index, rotateManagerUnlockKey: true },
      body: Spec,
    });
    if (!flags.quiet) print(context, 'Successfully rotated manager unlock key.\n');
    await warnOfAway(context);
  }
  const { UnlockKey } = await context.api.get<{ UnlockKey: string }>('/swarm/unlockkey');
  if (!UnlockKey) throw new CliError('no unlock key is set');
  print(context, flags.quiet ? UnlockKey : unlockText(UnlockKey));
}
