import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import type { Cluster } from '../../proto/gen/swarm/objects.ts';
import { EncryptionKey } from '../../proto/gen/swarm/types.ts';

const PREFIX = 'SWMKEY-1-';
const KEY_BYTES = 32;
const SUBSYSTEM = 'manager';

/** What a user keeps: `SWMKEY-1-` and the 32 bytes in base64 without padding. */
export function formatUnlockKey(key: Uint8Array): string {
  return PREFIX + Buffer.from(key).toString('base64').replace(/=+$/, '');
}

/** Throws SWM_UNAUTHENTICATED for what cannot be the key of any cluster. */
export function parseUnlockKey(text: string): Uint8Array {
  const encoded = text.trim();
  const key = Buffer.from(encoded.slice(PREFIX.length), 'base64');
  if (key.length !== KEY_BYTES || formatUnlockKey(key) !== encoded) throw wrongUnlockKey();
  return key;
}

/** The key that managers of `cluster` are locked with; undefined while they are not. */
export function unlockKeyOf(cluster: Cluster): Uint8Array | undefined {
  if (!cluster.spec?.encryptionConfig?.autoLockManagers) return undefined;
  return cluster.unlockKeys.find(({ subsystem }) => subsystem === SUBSYSTEM)?.key;
}

/** A new key, for `Cluster.unlockKeys`. */
export function newUnlockKey(random: Random): EncryptionKey {
  const key = Buffer.from(random.bytes(KEY_BYTES));
  return EncryptionKey.fromPartial({ subsystem: SUBSYSTEM, key });
}

export function wrongUnlockKey(cause?: unknown): SwarmError {
  const message = 'swarm could not be unlocked: invalid key provided';
  const hint =
    'A manager that was away while the key was rotated or removed needs the old key once more.';
  return new SwarmError('SWM_UNAUTHENTICATED', message, { cause, hint });
}

export function unlockKeyNeeded(): SwarmError {
  return new SwarmError(
    'SWM_LOCKED',
    'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
  );
}
