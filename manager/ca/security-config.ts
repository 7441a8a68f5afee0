import { type ChannelCredentials, Client, type ServerCredentials } from '@grpc/grpc-js';
import type { Timer } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import { newId } from '../../common/ids.ts';
import { shuffled } from '../../common/random.ts';
import type { Startable } from '../../common/startable.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import type { CertificateIdentity, SecurityConfigApi } from '../types.ts';
import { type Validity, validityOf } from './clock-skew.ts';
import {
  CredentialSource,
  createClientCredentials,
  createServerCredentials,
} from './credentials.ts';
import { type EnrolmentComponents, type EnrolmentRequest, enrol } from './enrolment.ts';
import { identityOfCertificate } from './identity.ts';
import { type Issuer, issuerOfChain } from './issuer.ts';
import { obtainCertificate } from './obtain-certificate.ts';
import { decryptKey, encryptKey, isEncryptedKey } from './private-key.ts';
import { renewalDelay, retryDelay } from './renewal.ts';
import { createRootCa, DEFAULT_CERTIFICATE_VALIDITY_MS, RootCa } from './root-ca.ts';
import { type NodeFiles, readNodeFiles, writeNodeFiles } from './state-files.ts';
import { tryEach } from './try-each.ts';
import { withdraw } from './withdrawal.ts';
import { createCertificateRequest } from './x509.ts';

export interface SecurityConfigComponents extends EnrolmentComponents {
  /** The managers known now, `host:port`: whom to ask for a renewal. */
  readonly remotes: () => readonly string[];
}

export interface SecurityConfigInit {
  readonly stateDir: string;
  /** Of the TLS key on disk, while managers are locked. */
  readonly passphrase?: string | undefined;
}

export interface BootstrapInit extends SecurityConfigInit {
  readonly certificateValidityMs?: number;
}

/** What is on disk: the TLS key encrypted if there is a passphrase. */
interface Content {
  readonly files: NodeFiles;
  readonly passphrase: string | undefined;
}

export interface JoinInit extends SecurityConfigInit, EnrolmentRequest {}

/**
 * The identity of this node: made by `bootstrap` (the first manager of a new cluster), by `join`, or
 * found on disk by `load`. Between `start` and `stop` it renews its certificate by itself.
 */
export class SecurityConfig implements SecurityConfigApi, Startable {
  readonly #components: SecurityConfigComponents;
  readonly #stateDir: string;
  readonly #source: CredentialSource;
  readonly #listeners = new Set<() => void>();
  readonly #clientCredentials = new Map<string, ChannelCredentials>();
  #files: NodeFiles;
  #identity: CertificateIdentity;
  #rootCa: RootCa;
  #running = false;
  #timer: Timer | undefined;
  #failures = 0;
  /** Somebody asked for a renewal, which has not succeeded since. */
  #isRequested = false;
  #renewal: Promise<void> | undefined;
  #passphrase: string | undefined;
  #writing: Promise<void> = Promise.resolve();
  readonly #abort = new AbortController();

  private constructor(
    components: SecurityConfigComponents,
    init: SecurityConfigInit & { files: NodeFiles; rootCa?: RootCa },
  ) {
    this.#components = components;
    this.#stateDir = init.stateDir;
    this.#files = init.files;
    this.#identity = identityOfCertificate(init.files.certificatePem);
    this.#rootCa = init.rootCa ?? new RootCa(init.files.rootCaPem);
    this.#source = new CredentialSource(init.files);
    this.#passphrase = init.passphrase;
  }

  /** The identity kept in `stateDir`; undefined when this machine is in no swarm. */
  static async load(
    components: SecurityConfigComponents,
    init: SecurityConfigInit,
  ): Promise<SecurityConfig | undefined> {
    const stored = await readNodeFiles(init.stateDir);
    if (!stored) return undefined;
    const files = { ...stored, keyPem: decryptKey(stored.keyPem, init.passphrase) };
    const passphrase = isEncryptedKey(stored.keyPem) ? init.passphrase : undefined;
    return new SecurityConfig(components, { stateDir: init.stateDir, files, passphrase });
  }

  /** Who the certificate in `stateDir` is of. Needs no key. */
  static async peek(stateDir: string): Promise<CertificateIdentity | undefined> {
    const files = await readNodeFiles(stateDir);
    return files && identityOfCertificate(files.certificatePem);
  }

  /** A new cluster: a new root, and this node its first manager. */
  static async bootstrap(
    components: SecurityConfigComponents,
    init: BootstrapInit,
  ): Promise<SecurityConfig> {
    const { clock, random } = components;
    const rootCa = await createRootCa(clock.now());
    const { csrPem, privateKeyPem } = await createCertificateRequest();
    const certificatePem = await rootCa.issue({
      csrPem,
      identity: { nodeId: newId(random), role: NodeRole.MANAGER, clusterId: newId(random) },
      validityMs: init.certificateValidityMs ?? DEFAULT_CERTIFICATE_VALIDITY_MS,
      now: clock.now(),
    });
    const files = { rootCaPem: rootCa.certificatePem, certificatePem, keyPem: privateKeyPem };
    await writeNodeFiles(init.stateDir, files);
    return new SecurityConfig(components, { ...init, files, rootCa });
  }

  /** Joins an existing cluster; see `enrol` for its errors. */
  static async join(components: SecurityConfigComponents, init: JoinInit): Promise<SecurityConfig> {
    const files = await enrol(components, init);
    try {
      await writeNodeFiles(init.stateDir, files);
    } catch (error) {
      await withdraw(components, { files, remotes: init.remotes });
      throw error;
    }
    return new SecurityConfig(components, { ...init, files });
  }

  get identity(): CertificateIdentity {
    return this.#identity;
  }

  /** With the signing key only in the process that bootstrapped the cluster. */
  get rootCa(): RootCa {
    return this.#rootCa;
  }

  get rootCaPem(): string {
    return this.#files.rootCaPem;
  }

  get certificatePem(): string {
    return this.#files.certificatePem;
  }

  /** Who signed the certificate; undefined when that is not to be seen from the roots. */
  get issuer(): Issuer | undefined {
    return issuerOfChain(this.#files.certificatePem, this.#files.rootCaPem);
  }

  get notAfter(): number {
    return this.#validity().notAfter;
  }

  serverCredentials(): ServerCredentials {
    return createServerCredentials(this.#source);
  }

  clientCredentials(role: NodeRole, nodeId = ''): ChannelCredentials {
    // One object per server and certificate: grpc-js shares connections between equal credentials,
    // and must not share one that was made with a certificate of another role.
    const key = `${role}/${nodeId}`;
    let credentials = this.#clientCredentials.get(key);
    if (!credentials) {
      const { clusterId } = this.#identity;
      credentials = createClientCredentials(this.#source, { role, clusterId, nodeId });
      this.#clientCredentials.set(key, credentials);
    }
    return credentials;
  }

  /** True when the TLS key on disk needs a passphrase. */
  get isKeyEncrypted(): boolean {
    return this.#passphrase !== undefined;
  }

  /**
   * Has the TLS key on disk need `passphrase` from now on or, without one, none. The key of a worker
   * is never encrypted, since nobody could unlock it.
   */
  async encryptKey(passphrase: string | undefined): Promise<void> {
    await this.#write((files) => ({ files, passphrase }));
  }

  /** What the files of a copy of this node are to hold; the key encrypted if `passphrase` is given. */
  copy(passphrase: string | undefined): NodeFiles {
    const { keyPem, ...files } = this.#files;
    return { ...files, keyPem: passphrase === undefined ? keyPem : encryptKey(keyPem, passphrase) };
  }

  /** The managers to ask, as far as they are known. */
  remotes(): readonly string[] {
    return this.#components.remotes();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    this.#running = true;
    this.#schedule(renewalDelay(this.#validity(), this.#now(), this.#components.random));
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#timer?.cancel();
    this.#abort.abort(new Error('the security configuration was stopped'));
    await this.#renewal?.catch(() => {});
  }

  /** Calls while one is under way share it. */
  renew(): Promise<void> {
    this.#renewal ??= this.#renewOnce().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  /** Has the certificate renewed now, and if that fails again and again later. */
  requestRenewal(): void {
    if (!this.#running || this.#isRequested) return;
    this.#isRequested = true;
    this.#renewOnSchedule();
  }

  /**
   * Has the managers forget this node, and its certificate be void: to be called where joining failed
   * after `join`. Takes 5 s at most, and where no manager can be told it is only logged.
   */
  async withdraw(): Promise<void> {
    await withdraw(this.#components, { files: this.#files, remotes: this.remotes() });
  }

  /** Trusts `pem`, which came over a connection verified by the roots so far. */
  async trustRoots(pem: string): Promise<void> {
    if (pem === this.#files.rootCaPem) return;
    // Throws on what is no certificate, before anything is written.
    new RootCa(pem);
    await this.#install((files) => ({ ...files, rootCaPem: pem }));
  }

  async #renewOnce(): Promise<void> {
    const { clock, random, remotes, logger } = this.#components;
    const files = await tryEach(shuffled(random, remotes()), async (remote) => {
      const client = new Client(remote, this.clientCredentials(NodeRole.MANAGER));
      try {
        const { signal } = this.#abort;
        return await obtainCertificate(client, this.#files.rootCaPem, { clock, signal });
      } finally {
        client.close();
      }
    });
    await this.#install(() => files);
    logger.info({ notAfter: new Date(this.notAfter) }, 'renewed the certificate of this node');
    this.#failures = 0;
    this.#isRequested = false;
    this.#schedule(renewalDelay(this.#validity(), this.#now(), random));
  }

  async #install(next: (files: NodeFiles) => NodeFiles): Promise<void> {
    await this.#write((files, passphrase) => ({ files: next(files), passphrase }));
    this.#clientCredentials.clear();
    this.#source.update(this.#files);
    for (const listener of [...this.#listeners]) listener();
  }

  /** One after the other: `next` is asked when its turn comes, and told what the last one left. */
  #write(next: (files: NodeFiles, passphrase: string | undefined) => Content): Promise<void> {
    const writing = this.#writing.then(async () => {
      const { files, passphrase: wanted } = next(this.#files, this.#passphrase);
      const identity = identityOfCertificate(files.certificatePem);
      const passphrase = identity.role === NodeRole.MANAGER ? wanted : undefined;
      const { keyPem } = files;
      const stored = passphrase === undefined ? keyPem : encryptKey(keyPem, passphrase);
      await writeNodeFiles(this.#stateDir, { ...files, keyPem: stored });
      this.#passphrase = passphrase;
      this.#identity = identity;
      if (files.rootCaPem !== this.#files.rootCaPem) this.#rootCa = new RootCa(files.rootCaPem);
      this.#files = files;
    });
    this.#writing = writing.catch(() => {});
    return writing;
  }

  #schedule(delayMs: number): void {
    if (!this.#running) return;
    this.#timer?.cancel();
    this.#timer = this.#components.clock.setTimer(delayMs, () => this.#renewOnSchedule());
  }

  #renewOnSchedule(): void {
    this.renew().catch((error) => {
      if (this.#abort.signal.aborted) return;
      this.#failures++;
      const delayMs = retryDelay(this.#failures, this.#components.random);
      const details = { err: errorMessage(error), retryMs: Math.round(delayMs) };
      this.#components.logger.warn(details, 'failed to renew the certificate of this node');
      this.#schedule(delayMs);
    });
  }

  #validity(): Validity {
    return validityOf(this.#files.certificatePem);
  }

  #now(): number {
    return this.#components.clock.now();
  }
}
