import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import type { Files } from '../../../common/files.ts';
import type { ManagerSecurity } from '../../../manager/manager-init.ts';
import type { CertificateIdentity } from '../../../manager/types.ts';

export interface SimSecurityInit {
  readonly path: string;
  readonly identity: CertificateIdentity;
  /** From the key file: what should open the TLS key. */
  readonly passphrase: string | undefined;
  readonly remotes: () => readonly string[];
}

/** Nobody reads these where there are no certificates. */
const ROOT = {
  digest: Buffer.alloc(32, 1),
  certificatePem: 'the certificate of the root',
  keyPem: 'the key of the root',
};

/**
 * The identity of a node without certificates. Of its TLS key there is what matters for locking: the
 * passphrase that it needs, in a file.
 */
export class SimSecurity implements ManagerSecurity {
  readonly identity: CertificateIdentity;
  readonly rootCa = ROOT;
  readonly rootCaPem = ROOT.certificatePem;
  readonly certificatePem = 'a certificate';
  readonly notAfter = Infinity;
  readonly remotes: () => readonly string[];
  readonly #files: Files;
  readonly #path: string;
  #passphrase: string;

  private constructor(files: Files, init: SimSecurityInit, passphrase: string) {
    this.#files = files;
    this.#path = init.path;
    this.identity = init.identity;
    this.remotes = init.remotes;
    this.#passphrase = passphrase;
  }

  /** Throws when the key on disk needs another passphrase than the one that is known. */
  static async load(files: Files, init: SimSecurityInit): Promise<SimSecurity> {
    const stored = (await files.read(init.path)) ?? '';
    if (stored === '' || stored === init.passphrase) return new SimSecurity(files, init, stored);
    throw new Error(`the TLS key of ${init.identity.nodeId} cannot be opened any more`);
  }

  get isKeyEncrypted(): boolean {
    return this.#passphrase !== '';
  }

  async encryptKey(passphrase: string | undefined): Promise<void> {
    const next = passphrase ?? '';
    await this.#files.write(this.#path, next, 0o600);
    this.#passphrase = next;
  }

  /** Another key, which needs the same passphrase. */
  async renew(): Promise<void> {
    await this.#files.write(this.#path, this.#passphrase, 0o600);
  }

  clientCredentials(): ChannelCredentials {
    return ChannelCredentials.createInsecure();
  }

  serverCredentials(): ServerCredentials {
    return ServerCredentials.createInsecure();
  }

  onChange(): () => void {
    return () => undefined;
  }

  copy(): never {
    throw new Error('there is no certificate to be copied');
  }
}
