import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../../common/atomic-file.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';

const KEY_SIZE = 32;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
const FORMAT = 1;

/** What is on disk: JSON with base64 keys, the newest first, each wrapped when `locked`. */
interface KeyFileContent {
  readonly format: number;
  readonly locked: boolean;
  readonly keys: readonly string[];
}

export interface KeyFileInit {
  readonly path: string;
  /** The cluster's unlock key, needed while the file is locked. */
  readonly unlockKey?: Uint8Array | undefined;
}

/**
 * The data encryption keys (DEK) of this manager's log, in a file of their own (0600, written whole).
 * With an unlock key they are wrapped by it (AES-256-GCM under a key derived with HKDF-SHA-256);
 * without one they lie there in the clear, and only the file's mode protects them. It is the key ring
 * that the consensus log seals with.
 */
export class KeyFile {
  readonly #path: string;
  readonly #random: Random;
  #keys: readonly Uint8Array[];

  private constructor(path: string, random: Random, keys: readonly Uint8Array[]) {
    this.#path = path;
    this.#random = random;
    this.#keys = keys;
  }

  /**
   * Reads the file, or makes it with a fresh key. Throws SWM_LOCKED without the unlock key that it
   * needs, SWM_INVALID_ARGUMENT with a wrong one.
   */
  static async open(components: { readonly random: Random }, init: KeyFileInit): Promise<KeyFile> {
    const { random } = components;
    const content = await readContent(init.path);
    if (content) return new KeyFile(init.path, random, unwrapAll(content, init.unlockKey));
    const file = new KeyFile(init.path, random, [random.bytes(KEY_SIZE)]);
    await mkdir(dirname(init.path), { recursive: true, mode: 0o700 });
    await file.save(init.unlockKey);
    return file;
  }

  get current(): Uint8Array {
    return this.#keys[0] as Uint8Array;
  }

  get all(): readonly Uint8Array[] {
    return this.#keys;
  }

  /** Writes the keys anew, wrapped by `unlockKey` or, without it, in the clear. */
  async save(unlockKey?: Uint8Array): Promise<void> {
    const keys = this.#keys.map((key) => (unlockKey ? this.#wrap(key, unlockKey) : key));
    const content: KeyFileContent = {
      format: FORMAT,
      locked: unlockKey !== undefined,
      keys: keys.map((key) => Buffer.from(key).toString('base64')),
    };
    await writeFileAtomic(this.#path, `${JSON.stringify(content)}\n`, 0o600);
  }

  /** Seals what is written from now on with a new key, and keeps the old ones to read with. */
  async rotate(unlockKey?: Uint8Array): Promise<void> {
    this.#keys = [this.#random.bytes(KEY_SIZE), ...this.#keys];
    await this.save(unlockKey);
  }

  #wrap(key: Uint8Array, unlockKey: Uint8Array): Buffer {
    const nonce = this.#random.bytes(NONCE_SIZE);
    const cipher = createCipheriv('aes-256-gcm', deriveKek(unlockKey), nonce);
    return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  }
}

async function readContent(path: string): Promise<KeyFileContent | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const content = JSON.parse(text) as KeyFileContent;
    if (content.format === FORMAT && content.keys.length > 0) return content;
  } catch {
    // Told below, with the file's name.
  }
  throw new SwarmError('SWM_INTERNAL', `${path} is not a key file of format ${FORMAT}`);
}

function unwrapAll(content: KeyFileContent, unlockKey: Uint8Array | undefined): Uint8Array[] {
  const keys = content.keys.map((key) => Buffer.from(key, 'base64'));
  if (!content.locked) return keys;
  if (!unlockKey) {
    throw new SwarmError(
      'SWM_LOCKED',
      'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
    );
  }
  return keys.map((wrapped) => unwrap(wrapped, unlockKey));
}

function unwrap(wrapped: Buffer, unlockKey: Uint8Array): Uint8Array {
  const end = wrapped.length - TAG_SIZE;
  try {
    const nonce = wrapped.subarray(0, NONCE_SIZE);
    const decipher = createDecipheriv('aes-256-gcm', deriveKek(unlockKey), nonce);
    decipher.setAuthTag(wrapped.subarray(end));
    return Buffer.concat([decipher.update(wrapped.subarray(NONCE_SIZE, end)), decipher.final()]);
  } catch (cause) {
    throw new SwarmError(
      'SWM_INVALID_ARGUMENT',
      'swarm could not be unlocked: invalid key provided',
      { cause },
    );
  }
}

function deriveKek(unlockKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', unlockKey, '', 'swarm-ts key file', KEY_SIZE));
}
