import type { Clock, Timer } from '../common/clock.ts';
import { errorMessage, isSwarmError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Random } from '../common/random.ts';
import type { Pacing } from '../common/slices.ts';
import {
  type KeyFile,
  Manager,
  type ManagerComponents,
  type ManagerInit,
  type ManagerMode,
  readManagerKeys,
  removeManagerState,
} from '../manager/index.ts';
import { NodeRole } from '../proto/gen/swarm/types.ts';
import { hasRoom } from './disk-room.ts';
import type { NodeRecord } from './node-files.ts';
import { WorkQueue } from './work-queue.ts';

const RETRY_MS = 2_000;

export interface ManagerKeeperComponents extends Pacing {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Who this node is; its role says whether it is to have a manager. */
  readonly securityConfig: ManagerComponents['securityConfig'];
  readonly gossip: NonNullable<ManagerComponents['gossip']>;
  readonly onProposed?: ManagerComponents['onProposed'];
  readonly createManager?: (components: ManagerComponents, init: ManagerInit) => Manager;
}

export interface ManagerKeeperInit {
  /** Of this membership. */
  readonly stateDir: string;
  /** As it is now: the managers known change. */
  readonly record: () => NodeRecord;
  /** Of the manager that this node was before, if it was one. */
  readonly keys?: KeyFile | undefined;
  /** Called after the manager came or went, or its trouble changed. */
  readonly onChange: () => void;
}

/**
 * Has this node run a manager exactly while its certificate says that it is one: starts and ends it
 * with the role, begins one anew that the others removed or whose disk failed, and goes on trying
 * where one does not start.
 *
 * Invariant: managers come and go one after the other, so that no two use the same files.
 */
export class ManagerKeeper {
  readonly #components: ManagerKeeperComponents;
  readonly #init: ManagerKeeperInit;
  readonly #queue: WorkQueue;
  #manager: Manager | undefined;
  #starting: Manager | undefined;
  /** Whoever leaves is removed from the managers, and is not to come in again for it. */
  #leaving = false;
  #trouble = '';
  /** What the last manager of this node had locked its files with; also one that did not start. */
  #unlockKey: Uint8Array | undefined;
  #retry: Timer | undefined;

  constructor(components: ManagerKeeperComponents, init: ManagerKeeperInit) {
    this.#components = components;
    this.#init = init;
    this.#queue = new WorkQueue(components);
    this.#unlockKey = init.keys?.unlockKey;
  }

  get manager(): Manager | undefined {
    return this.#manager;
  }

  /** What a restart of the manager needs; undefined while it is not locked. */
  get unlockKey(): Uint8Array | undefined {
    return this.#manager ? this.#manager.heldUnlockKey : this.#unlockKey;
  }

  /** Why there is no manager although there is to be one; '' while all is well. */
  get trouble(): string {
    return this.#trouble;
  }

  /**
   * Starts the first manager of a run as `mode` says, if the node is to have one, and rejects as it
   * does. Resolves nevertheless where a restarted one has lost its log and the others do not let it in:
   * then one of both has yet to hear of the role that this node has now.
   */
  start(mode: ManagerMode): Promise<void> {
    return this.#queue.run(() => this.#start(mode));
  }

  /** Resolves when what has changed so far was followed. */
  get idle(): Promise<void> {
    return this.#queue.idle;
  }

  /** To be called when the certificate has changed: the role may have. */
  followRole(): void {
    this.#queue.add(() => this.#followRole());
  }

  /** Rejects where the others do not consent and it is not forced; then it stays one of them. */
  async leaveRaft(force: boolean): Promise<void> {
    this.#leaving = true;
    // One that is just starting may have become a member.
    await this.#queue.idle;
    try {
      await this.#manager?.leaveRaft(force);
    } catch (error) {
      this.#leaving = false;
      throw error;
    }
  }

  /** Begins no other manager. */
  async close(): Promise<void> {
    this.#retry?.cancel();
    const closed = this.#queue.close();
    await this.#starting?.stop();
    await closed;
  }

  /** Ends the manager; to be called after `close`. */
  async stop(): Promise<void> {
    const manager = this.#manager;
    await manager?.stop();
    this.#unlockKey = this.unlockKey;
    this.#manager = undefined;
  }

  get #isWanted(): boolean {
    return this.#components.securityConfig.identity.role === NodeRole.MANAGER;
  }

  async #start(mode: ManagerMode): Promise<void> {
    if (!this.#isWanted) return this.#forget();
    try {
      await this.#begin(mode, this.#init.keys);
    } catch (error) {
      const isRefused = isSwarmError(error, 'SWM_PERMISSION_DENIED');
      if (mode.type !== 'restart' || !isRefused) throw error;
      this.#tryLater(() => this.#joining(), error);
    }
  }

  /**
   * A manager is started or ended when the role changed. One that the others do not let in yet (a
   * demotion under way, no quorum) is tried again while the role stays.
   */
  async #followRole(): Promise<void> {
    if (this.#isWanted) await this.#tryToStart(() => this.#joining());
    else if (this.#manager) await this.#end(this.#manager);
    else await this.#forget();
  }

  #joining(): ManagerMode {
    return { type: 'join', remotes: this.#init.record().managers };
  }

  async #tryToStart(mode: () => ManagerMode): Promise<void> {
    if (!this.#isWanted || this.#manager || this.#leaving) return;
    try {
      // An earlier attempt may have locked its files before it failed.
      const { stateDir } = this.#init;
      const keys = await readManagerKeys(this.#components, stateDir, this.#unlockKey);
      await this.#begin(mode(), keys);
    } catch (error) {
      this.#tryLater(mode, error);
    }
  }

  #tryLater(mode: () => ManagerMode, error: unknown): void {
    const { clock, logger } = this.#components;
    const err = errorMessage(error);
    logger.warn({ err }, 'the manager could not start, and is tried again');
    this.#trouble = `the manager of this node could not start, and is tried again: ${err}`;
    this.#init.onChange();
    if (this.#queue.closed) return;
    this.#retry?.cancel();
    this.#retry = clock.setTimer(RETRY_MS, () => this.#queue.add(() => this.#tryToStart(mode)));
  }

  async #begin(mode: ManagerMode, keys?: KeyFile): Promise<void> {
    const { createManager = newManager, ...components } = this.#components;
    const { listenAddr, advertiseAddr } = this.#init.record();
    // It may be over before it has started; then that is seen to afterwards.
    let endedEarly: (() => void) | undefined;
    const ended = (follow: () => void) => {
      if (this.#manager === manager) follow();
      else endedEarly = follow;
    };
    const manager = createManager(
      { ...components, keys },
      {
        stateDir: this.#init.stateDir,
        listenAddr,
        advertiseAddr,
        mode,
        onRemoved: () => ended(() => this.#queue.add(() => this.#replace(manager))),
        onFailed: () => ended(() => this.#onFailed(manager)),
      },
    );
    this.#starting = manager;
    try {
      await manager.start();
    } finally {
      this.#starting = undefined;
      this.#unlockKey = manager.heldUnlockKey;
    }
    this.#manager = manager;
    this.#trouble = '';
    this.#init.onChange();
    endedEarly?.();
  }

  /** The other managers removed `manager`: it is void. A new one joins if the node is to have one. */
  async #replace(manager: Manager): Promise<void> {
    if (this.#manager !== manager || this.#leaving) return;
    await this.#end(manager);
    await this.#followRole();
  }

  /** It is begun again from its disk, when there is room on it, and until then left to answer. */
  #onFailed(manager: Manager): void {
    this.#init.onChange();
    this.#retry?.cancel();
    this.#retry = this.#components.clock.setTimer(RETRY_MS, async () => {
      if (this.#queue.closed || this.#manager !== manager) return;
      if (await hasRoom(this.#init.stateDir)) this.#queue.add(() => this.#restart(manager));
      else this.#onFailed(manager);
    });
  }

  async #restart(manager: Manager): Promise<void> {
    if (this.#manager !== manager) return;
    this.#unlockKey = manager.heldUnlockKey;
    this.#manager = undefined;
    this.#init.onChange();
    await manager.stop();
    await this.#tryToStart(() => ({ type: 'restart' }));
  }

  async #end(manager: Manager): Promise<void> {
    this.#manager = undefined;
    this.#init.onChange();
    await manager.stop();
    await manager.discardState();
    this.#unlockKey = undefined;
  }

  /** What a manager left that ended with an earlier run, as one that was demoted while it was off. */
  async #forget(): Promise<void> {
    await removeManagerState(this.#init.stateDir);
    this.#unlockKey = undefined;
    if (this.#trouble === '') return;
    this.#trouble = '';
    this.#init.onChange();
  }
}

function newManager(components: ManagerComponents, init: ManagerInit): Manager {
  return new Manager(components, init);
}
