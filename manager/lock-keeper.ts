import { unlessAborted } from '../common/abort.ts';
import type { Clock } from '../common/clock.ts';
import { errorMessage, isSwarmError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Startable } from '../common/startable.ts';
import { TriggerLoop } from '../common/trigger-loop.ts';
import { type KeyFile, unlockKeyOf } from './ca/index.ts';
import type { Consensus } from './consensus/index.ts';
import type { ManagerSecurity } from './manager-init.ts';
import type { Store } from './store/types.ts';

export interface LockKeeperComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: Pick<Store, 'view' | 'subscribe'>;
  readonly keys: KeyFile;
  readonly securityConfig: Pick<ManagerSecurity, 'isKeyEncrypted' | 'encryptKey' | 'renew'>;
  readonly consensus: Pick<Consensus, 'rotateKeys' | 'readIndex' | 'members'>;
}

export interface LockKeeperInit {
  readonly clusterId: string;
}

const RETRY_MS = 2_000;
/** Whoever turns the lock on, or takes another key, asks for the key with the next request. */
const KEY_GRACE_MS = 5_000;

/**
 * Keeps what this manager has on disk locked as the cluster object says: with the current unlock key,
 * or not at all. What lay on disk in the clear before is replaced when it is locked: the data key of
 * the log, the passphrase of the TLS key, and that key itself.
 *
 * Each step finds out from the state on disk whether it is due, so a step that a crash or an error
 * prevented is done the next time. The exception is the new TLS key: after a crash before it was made,
 * the old one, encrypted by then, is kept until its certificate is renewed as usual.
 *
 * What the store shows while the log is still being read is not followed: it may be an unlock key of
 * long ago, which nobody has any more.
 *
 * The only manager of a swarm is also the only one that can tell its key. If it died after the key was
 * made and before it was told, it would be locked with a key that nobody has. So it stays as it was
 * until the key was told, but for 5 s at most: a user who never asks has managers that are locked.
 */
export class LockKeeper implements Startable {
  readonly #components: LockKeeperComponents;
  readonly #clusterId: string;
  readonly #loop: TriggerLoop;
  #unsubscribe = () => {};
  #renewalDue = false;
  #toldKey: Uint8Array | undefined;
  /** The last key that was seen to be made, and until when it is given time to be told, monotonic. */
  #newKey: { readonly key: Uint8Array; readonly until: number } | undefined;
  /** A key that was there when this life began may have been told before. */
  #hasFollowed = false;

  constructor(components: LockKeeperComponents, init: LockKeeperInit) {
    this.#components = components;
    this.#clusterId = init.clusterId;
    this.#loop = new TriggerLoop(components, {
      act: (signal) => this.#follow(signal),
      retryMs: RETRY_MS,
      onFailure: (error) => {
        const { logger } = components;
        if (isSwarmError(error, 'SWM_NO_LEADER')) return;
        logger.warn({ err: errorMessage(error) }, 'locking what is on disk failed; trying again');
      },
    });
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#components.store.subscribe(({ changes, restored }) => {
      if (restored || changes.some(({ kind }) => kind === 'cluster')) this.#loop.fire();
    });
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#loop.stop();
  }

  /** To be called when a user is told `key`. */
  told(key: Uint8Array): void {
    this.#toldKey = key;
    this.#loop.fire();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { store, consensus } = this.#components;
    await consensus.readIndex(signal);
    const cluster = store.view((tx) => tx.get('cluster', this.#clusterId));
    if (!cluster) return;
    const unlockKey = this.#keyForNow(unlockKeyOf(cluster));
    await this.#wrap(unlockKey);
    signal.throwIfAborted();
    await this.#encryptTlsKey(unlockKey !== undefined);
    await this.#finishRotation(signal);
    await this.#renew(signal);
  }

  /** `wanted`, or the key of before while nobody may have been told the wanted one. */
  #keyForNow(wanted: Uint8Array | undefined): Uint8Array | undefined {
    const { keys, consensus, clock } = this.#components;
    const isNew = this.#hasFollowed && !isSame(wanted, keys.unlockKey);
    this.#hasFollowed = true;
    if (!wanted || !isNew || isSame(wanted, this.#toldKey)) return wanted;
    if (consensus.members().length > 1) return wanted;
    const now = clock.monotonic();
    if (!isSame(wanted, this.#newKey?.key))
      this.#newKey = { key: wanted, until: now + KEY_GRACE_MS };
    const rest = (this.#newKey?.until ?? now) - now;
    if (rest <= 0) return wanted;
    this.#loop.fireIn(rest);
    return keys.unlockKey;
  }

  async #wrap(unlockKey: Uint8Array | undefined): Promise<void> {
    const { keys, securityConfig, logger } = this.#components;
    if (isSame(unlockKey, keys.unlockKey)) return;
    if (unlockKey && !keys.unlockKey) {
      // Under the old passphrase it could not be read any more.
      if (securityConfig.isKeyEncrypted) await securityConfig.encryptKey(undefined);
      await keys.lock(unlockKey);
      logger.info('this manager is locked with the unlock key of the cluster');
    } else {
      await keys.wrap(unlockKey);
      logger.info({ locked: unlockKey !== undefined }, 'this manager has another unlock key');
    }
  }

  async #encryptTlsKey(wanted: boolean): Promise<void> {
    const { keys, securityConfig } = this.#components;
    if (securityConfig.isKeyEncrypted === wanted) return;
    await securityConfig.encryptKey(wanted ? keys.passphrase : undefined);
    // False in the short life that a manager has left after its demotion.
    if (securityConfig.isKeyEncrypted) this.#renewalDue = true;
  }

  async #finishRotation(signal: AbortSignal): Promise<void> {
    const { keys, consensus, logger } = this.#components;
    if (!keys.isRotating) return;
    // This may take long, and ends with consensus. Only what writes the key file itself has to be waited
    // for, since that file may be removed after `stop`.
    await unlessAborted(consensus.rotateKeys(), signal);
    await keys.forgetOldKeys();
    logger.info('the log is sealed with a new key');
  }

  async #renew(signal: AbortSignal): Promise<void> {
    if (!this.#renewalDue) return;
    await unlessAborted(this.#components.securityConfig.renew(), signal);
    this.#renewalDue = false;
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);
}
