import { createPrivateKey } from 'node:crypto';
import { SwarmError } from '../../common/errors.ts';
import { unlockKeyNeeded } from './unlock-key.ts';

const ENCRYPTED = '-----BEGIN ENCRYPTED PRIVATE KEY-----';

export function isEncryptedKey(pem: string): boolean {
  return pem.includes(ENCRYPTED);
}

/** The key as PKCS #8 that only `passphrase` opens. */
export function encryptKey(pem: string, passphrase: string): string {
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  return createPrivateKey(pem).export(options).toString();
}

/** The key in the clear. Throws SWM_LOCKED without a passphrase, SWM_INTERNAL with a wrong one. */
export function decryptKey(pem: string, passphrase: string | undefined): string {
  if (!isEncryptedKey(pem)) return pem;
  if (passphrase === undefined) throw unlockKeyNeeded();
  try {
    const key = createPrivateKey({ key: pem, passphrase });
    return key.export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch (cause) {
    throw new SwarmError(
      'SWM_INTERNAL',
      'the TLS key of this node is encrypted with another passphrase than the one in its key file',
      { hint: 'restore both from the same backup, or make this node leave and join again', cause },
    );
  }
}
