import './polyfill.ts';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { privateKeyFromRaw } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';

/** What precedes the seed of an Ed25519 key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * The libp2p key that belongs to an Ed25519 seed of 32 bytes: what `generateKeyPairFromSeed` makes of
 * it, by OpenSSL. In JavaScript the public key takes 20 ms, in which the event loop serves nobody.
 */
export function gossipPrivateKey(seed: Uint8Array): PrivateKey {
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return privateKeyFromRaw(Buffer.concat([seed, Buffer.from(x, 'base64url')]));
}

/** The libp2p peer id that belongs to an Ed25519 seed of 32 bytes. */
export async function gossipPeerId(seed: Uint8Array): Promise<string> {
  return peerIdFromPrivateKey(gossipPrivateKey(seed)).toString();
}
