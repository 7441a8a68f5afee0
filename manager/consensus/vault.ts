import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';

/** The data encryption keys of this manager. A live view: both may change while the log is open. */
export interface KeyRing {
  /** Seals all that is written from now on. 32 bytes. */
  readonly current: Uint8Array;
  /** Every key that something on disk may still be sealed with, `current` among them. */
  readonly all: readonly Uint8Array[];
}

export interface VaultComponents {
  readonly keys: KeyRing;
  readonly random: Random;
}

const VERSION = 1;
const CRC_AT = 1;
const KEY_ID_AT = 5;
const NONCE_AT = 9;
const NONCE_SIZE = 12;
const BODY_AT = NONCE_AT + NONCE_SIZE;
const TAG_SIZE = 16;
const MAX_COUNTER = 2 ** 48;

/**
 * Seals the values of the log with AES-256-GCM and a checksum around it.
 *
 *   version:1  crc32:4 (of all that follows)  key id:4  nonce:12  ciphertext  tag:16
 *
 * The checksum tells damage from a missing key; the tag, which also covers the value's name, tells
 * both from a value that was put under another name. A nonce is six random bytes drawn once per
 * vault and a counter, so it cannot repeat within a process and hardly between two.
 */
export class Vault {
  readonly #keys: KeyRing;
  readonly #noncePrefix: Uint8Array;
  readonly #ids = new WeakMap<Uint8Array, number>();
  #counter = 0;

  constructor(components: VaultComponents) {
    this.#keys = components.keys;
    this.#noncePrefix = components.random.bytes(6);
  }

  seal(name: string, plain: Uint8Array): Buffer {
    const key = this.#keys.current;
    const sealed = Buffer.allocUnsafe(BODY_AT + plain.length + TAG_SIZE);
    sealed[0] = VERSION;
    sealed.writeUInt32BE(this.#keyId(key), KEY_ID_AT);
    this.#writeNonce(sealed);
    const cipher = createCipheriv('aes-256-gcm', key, sealed.subarray(NONCE_AT, BODY_AT));
    cipher.setAAD(Buffer.from(name));
    cipher.update(plain).copy(sealed, BODY_AT);
    cipher.final();
    cipher.getAuthTag().copy(sealed, sealed.length - TAG_SIZE);
    sealed.writeUInt32BE(crc32(sealed.subarray(KEY_ID_AT)), CRC_AT);
    return sealed;
  }

  /** Throws SWM_LOCKED without the right key, SWM_DAMAGED for a damaged value. */
  open(name: string, sealed: Buffer): Buffer {
    if (!isIntact(sealed)) throw damaged(name, 'fails its checksum');
    const keyId = sealed.readUInt32BE(KEY_ID_AT);
    const key = this.#keys.all.find((candidate) => this.#keyId(candidate) === keyId);
    if (!key) throw locked(name);
    const end = sealed.length - TAG_SIZE;
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(NONCE_AT, BODY_AT));
    decipher.setAAD(Buffer.from(name));
    decipher.setAuthTag(sealed.subarray(end));
    try {
      const plain = decipher.update(sealed.subarray(BODY_AT, end));
      decipher.final();
      return plain;
    } catch (cause) {
      throw damaged(name, 'was not written by this manager under that key', cause);
    }
  }

  /** Whether `sealed` was made with the current key. */
  isCurrent(sealed: Buffer): boolean {
    return isIntact(sealed) && sealed.readUInt32BE(KEY_ID_AT) === this.#keyId(this.#keys.current);
  }

  #writeNonce(sealed: Buffer): void {
    if (this.#counter === MAX_COUNTER) throw new Error('The nonces of this vault are used up.');
    sealed.set(this.#noncePrefix, NONCE_AT);
    sealed.writeUIntBE(this.#counter++, NONCE_AT + 6, 6);
  }

  #keyId(key: Uint8Array): number {
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = createHash('sha256').update(key).digest().readUInt32BE(0);
      this.#ids.set(key, id);
    }
    return id;
  }
}

/** True when nothing changed in `sealed` since it was made. Needs no key. */
function isIntact(sealed: Buffer): boolean {
  if (sealed.length < BODY_AT + TAG_SIZE || sealed[0] !== VERSION) return false;
  return sealed.readUInt32BE(CRC_AT) === crc32(sealed.subarray(KEY_ID_AT));
}

function damaged(name: string, what: string, cause?: unknown): SwarmError {
  return new SwarmError('SWM_DAMAGED', `The value under "${name}" of the Raft log ${what}.`, {
    cause,
  });
}

function locked(name: string): SwarmError {
  const message = `The value under "${name}" of the Raft log is sealed with a key that this manager does not have.`;
  return new SwarmError('SWM_LOCKED', message, {
    hint: 'Start the manager with the key file that belongs to this state directory.',
  });
}
