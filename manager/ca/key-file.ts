import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { decodeChecked, encodeChecked } from '../../common/checksum.ts';
import { damagedFile } from '../../common/damage.ts';
import { errorMessage, type SwarmError } from '../../common/errors.ts';
import { type Files, machineFiles } from '../../common/files.ts';
import type { Random } from '../../common/random.ts';
import { unlockKeyNeeded, wrongUnlockKey } from './unlock-key.ts';

const KEY_SIZE = 32;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
const FORMAT = 1;

/** What is on disk: JSON with base64 keys, the newest first, each wrapped when `locked`. */
interface KeyFileContent {
  readonly format: number;
  readonly locked: boolean;
  readonly keys: readonly string[];
  /** Wrapped likewise. */
  readonly passphrase: string;
}

interface Secrets {
  readonly keys: readonly Uint8Array[];
  readonly passphrase: Uint8Array;
}

export interface KeyFileComponents {
  readonly random: Random;
  /** Where the file is; this machine's by default. */
  readonly files?: Files | undefined;
}

export interface KeyFileInit {
  readonly path: string;
  /** The cluster's unlock key, needed while the file is locked; a new file is locked with it. */
  readonly unlockKey?: Uint8Array | undefined;
}

/**
 * The secrets of this manager that open all others at rest: the data encryption keys (DEK) of its log
 * and the passphrase of its TLS key. They are in a file of their own (0600, always replaced as a
 * whole). With an unlock key they are wrapped by it (AES-256-GCM under a key derived with
 * HKDF-SHA-256), so that locking, unlocking and a new unlock key are each one atomic write; without
 * one they lie there in the clear, and only the file's mode protects them. It is the key ring that the
 * consensus log seals with.
 *
 * Invariant: what `current` and `passphrase` give is on disk. Calls that write are not concurrent.
 */
export class KeyFile {
  readonly #path: string;
  readonly #random: Random;
  readonly #files: Files;
  #secrets: Secrets;
  #unlockKey: Uint8Array | undefined;

  private constructor(
    path: string,
    { random, files = machineFiles }: KeyFileComponents,
    secrets: Secrets,
    unlockKey: Uint8Array | undefined,
  ) {
    this.#path = path;
    this.#random = random;
    this.#files = files;
    this.#secrets = secrets;
    this.#unlockKey = unlockKey;
  }

  /**
   * Reads the file, or makes it with fresh keys. Throws SWM_LOCKED without the unlock key that it
   * needs, SWM_UNAUTHENTICATED with a wrong one, SWM_DAMAGED when it is not what was written.
   */
  static async open(components: KeyFileComponents, init: KeyFileInit): Promise<KeyFile> {
    return (await KeyFile.read(components, init)) ?? (await KeyFile.#create(components, init));
  }

  /** As `open`, but undefined when there is no file. */
  static async read(
    components: KeyFileComponents,
    init: KeyFileInit,
  ): Promise<KeyFile | undefined> {
    const content = await readContent(components.files ?? machineFiles, init.path);
    if (!content) return undefined;
    const unlockKey = content.locked ? init.unlockKey : undefined;
    const secrets = readSecrets(content, unlockKey);
    return new KeyFile(init.path, components, secrets, unlockKey);
  }

  static async #create(
    components: KeyFileComponents,
    { path, unlockKey }: KeyFileInit,
  ): Promise<KeyFile> {
    const { random } = components;
    const secrets = { keys: [random.bytes(KEY_SIZE)], passphrase: random.bytes(KEY_SIZE) };
    const file = new KeyFile(path, components, secrets, unlockKey);
    await file.#write(secrets, unlockKey);
    return file;
  }

  get current(): Uint8Array {
    return this.#secrets.keys[0] as Uint8Array;
  }

  get all(): readonly Uint8Array[] {
    return this.#secrets.keys;
  }

  /** Of this node's TLS key, while managers are locked. */
  get passphrase(): string {
    return Buffer.from(this.#secrets.passphrase).toString('base64');
  }

  /** What the file is wrapped with; undefined while it is not locked. */
  get unlockKey(): Uint8Array | undefined {
    return this.#unlockKey;
  }

  /** True until `forgetOldKeys` says that nothing is sealed with an older key any more. */
  get isRotating(): boolean {
    return this.#secrets.keys.length > 1;
  }

  /** Wraps the same secrets with another unlock key or, without one, with none. */
  async wrap(unlockKey: Uint8Array | undefined): Promise<void> {
    await this.#write(this.#secrets, unlockKey);
  }

  /**
   * Locks what was in the clear so far, with new secrets: the old ones may have been read. The log is
   * sealed with the new key from now on, and read with the old ones too until `forgetOldKeys`.
   */
  async lock(unlockKey: Uint8Array): Promise<void> {
    const keys = [this.#random.bytes(KEY_SIZE), ...this.#secrets.keys];
    await this.#write({ keys, passphrase: this.#random.bytes(KEY_SIZE) }, unlockKey);
  }

  /**
   * What the file of a copy of this manager is to hold: locked alike, with the same passphrase and a
   * data key of its own, which is `key`.
   */
  copy(): { readonly text: string; readonly key: Uint8Array } {
    const key = this.#random.bytes(KEY_SIZE);
    return { text: this.#encode({ ...this.#secrets, keys: [key] }, this.#unlockKey), key };
  }

  async forgetOldKeys(): Promise<void> {
    await this.#write({ ...this.#secrets, keys: [this.current] }, this.#unlockKey);
  }

  /** Nothing is sealed with a key that a crash could take away: memory follows the disk. */
  async #write(secrets: Secrets, unlockKey: Uint8Array | undefined): Promise<void> {
    await this.#files.write(this.#path, this.#encode(secrets, unlockKey), 0o600);
    this.#secrets = secrets;
    this.#unlockKey = unlockKey;
  }

  #encode(secrets: Secrets, unlockKey: Uint8Array | undefined): string {
    const encode = (secret: Uint8Array) =>
      Buffer.from(unlockKey ? this.#wrapped(secret, unlockKey) : secret).toString('base64');
    const content: KeyFileContent = {
      format: FORMAT,
      locked: unlockKey !== undefined,
      keys: secrets.keys.map(encode),
      passphrase: encode(secrets.passphrase),
    };
    return encodeChecked(content);
  }

  #wrapped(secret: Uint8Array, unlockKey: Uint8Array): Buffer {
    const nonce = this.#random.bytes(NONCE_SIZE);
    const cipher = createCipheriv('aes-256-gcm', deriveKek(unlockKey), nonce);
    return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  }
}

async function readContent(files: Files, path: string): Promise<KeyFileContent | undefined> {
  const text = await files.read(path);
  if (text === undefined) return undefined;
  let content: KeyFileContent;
  try {
    content = decodeChecked<KeyFileContent>(text);
  } catch (error) {
    throw damagedKeyFile(path, errorMessage(error));
  }
  if (content.format === FORMAT) return content;
  throw damagedKeyFile(path, `it has format ${content.format}, and ${FORMAT} is known`);
}

/** Without the keys in it, what they seal cannot be read. */
export function damagedKeyFile(path: string, what: string): SwarmError {
  return damagedFile(path, what, {
    hint:
      'Restore this file. Without it the log of this manager cannot be read: if other managers run, ' +
      'make this node leave the swarm with --force and join again; if it is the only one, leave and ' +
      'run `swarmctl swarm recover` with a backup.',
  });
}

function readSecrets(content: KeyFileContent, unlockKey: Uint8Array | undefined): Secrets {
  if (content.locked && !unlockKey) throw unlockKeyNeeded();
  const decode = (text: string): Uint8Array => {
    const bytes = Buffer.from(text, 'base64');
    return unlockKey ? unwrap(bytes, unlockKey) : bytes;
  };
  return { keys: content.keys.map(decode), passphrase: decode(content.passphrase) };
}

function unwrap(wrapped: Buffer, unlockKey: Uint8Array): Uint8Array {
  const end = wrapped.length - TAG_SIZE;
  try {
    const nonce = wrapped.subarray(0, NONCE_SIZE);
    const decipher = createDecipheriv('aes-256-gcm', deriveKek(unlockKey), nonce);
    decipher.setAuthTag(wrapped.subarray(end));
    return Buffer.concat([decipher.update(wrapped.subarray(NONCE_SIZE, end)), decipher.final()]);
  } catch (cause) {
    throw wrongUnlockKey(cause);
  }
}

function deriveKek(unlockKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', unlockKey, '', 'swarm-ts key file', KEY_SIZE));
}
