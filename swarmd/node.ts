import { unlessAborted } from '../common/abort.ts';
import { durationMs } from '../common/duration.ts';
import { errorMessage, isSwarmError, SwarmError } from '../common/errors.ts';
import {
  type ManagerApi,
  type ManagerMode,
  parseUnlockKey,
  SecurityConfig,
  unlockKeyNeeded,
} from '../manager/index.ts';
import type { NetDriverApi } from '../netdriver/index.ts';
import { NodeRole } from '../proto/gen/swarm/types.ts';
import { type EngineApi, sweepContainers } from '../worker/index.ts';
import type {
  InitRequest,
  JoinRequest,
  RecoverRequest,
  SwarmNodeApi,
  SwarmNodeState,
  SystemInfo,
} from './api/node-api.ts';
import { Changes } from './changes.ts';
import type { Membership, MembershipComponents } from './membership.ts';
import { MembershipFactory } from './membership-factory.ts';
import {
  clearLeftovers,
  type NodeRecord,
  readNodeRecord,
  removeMembership,
  swarmDir,
  writeNodeRecord,
} from './node-files.ts';
import { managerAddr, nodeRecord, relocated } from './node-record.ts';
import { NodeStanding } from './node-standing.ts';
import { recoverMembership } from './recovery.ts';
import { StartAttempts } from './start-attempts.ts';

/** As Docker: after this `join` answers, and goes on in the background. */
const JOIN_TIMEOUT_MS = 20_000;

export interface SwarmNodeInit {
  readonly stateDir: string;
  readonly gossipPort: number;
}

/**
 * This machine as a node: in no swarm, or in one. Changes of membership (init, join, leave) happen
 * one at a time; what is half-made when one fails is removed before it is reported.
 */
export class SwarmNode implements SwarmNodeApi {
  readonly #components: MembershipComponents;
  readonly #init: SwarmNodeInit;
  readonly #factory: MembershipFactory;
  readonly #changes: Changes;
  readonly #standing = new NodeStanding();
  readonly #starts: StartAttempts;

  constructor(components: MembershipComponents, init: SwarmNodeInit) {
    this.#components = components;
    this.#init = init;
    this.#changes = new Changes(components);
    this.#factory = new MembershipFactory(components, {
      ...init,
      managers: () => this.#standing.membership?.managers,
      onChange: () => this.#standing.tell(),
    });
    this.#starts = new StartAttempts({
      ...components,
      standing: this.#standing,
      reload: ({ record, unlockKey }) => this.#restore(record, unlockKey),
      isFinal: (error) => this.#isDamage(error),
    });
  }

  get engine(): EngineApi {
    return this.#components.engine;
  }

  get netdriver(): NetDriverApi {
    return this.#components.netdriver;
  }

  get manager(): ManagerApi | undefined {
    return this.#standing.manager;
  }

  systemInfo(): SystemInfo {
    return this.#components.systemInfo;
  }

  state(): SwarmNodeState {
    return this.#standing.state();
  }

  onState(listener: () => void): () => void {
    return this.#standing.onChange(listener);
  }

  /**
   * Takes up the membership of the last run, if there was one. Managers may be away. One that is
   * damaged is reported by `state`, and can be left: containers go on all the same.
   */
  async start(): Promise<void> {
    const { stateDir } = this.#init;
    const { logger } = this.#components;
    const standing = this.#standing;
    await clearLeftovers(stateDir);
    try {
      const stored = await readNodeRecord(stateDir);
      if (!stored) return;
      if (stored.unfinished) {
        logger.warn('the daemon ended while a swarm was begun here: what there was is removed');
        return await removeMembership(stateDir);
      }
      const record = await relocated(stored, { stateDir, logger });
      standing.set('pending');
      standing.membership = await this.#restore(record);
      if (standing.membership) this.#starts.begin(standing.membership);
    } catch (error) {
      if (!this.#isDamage(error)) throw error;
    }
  }

  async stop(): Promise<void> {
    const reason = new SwarmError('SWM_UNAVAILABLE', 'the daemon stops');
    this.#starts.close();
    await this.#changes.interrupt(reason);
    await this.#standing.membership?.stop();
  }

  init(request: InitRequest): Promise<string> {
    return this.#changes.run(async (signal) => {
      const standing = this.#standing;
      if (standing.locked) throw unlockKeyNeeded();
      if (standing.damage) throw standing.damage;
      const { membership: present } = standing;
      if (request.forceNewCluster && present) {
        return this.#forceNewCluster(request, present, signal);
      }
      const record = nodeRecord(request, request.dataPathPort, []);
      const { stateDir } = this.#init;
      const validity = request.spec.caConfig?.nodeCertExpiry;
      await removeMembership(stateDir);
      const securityConfig = await SecurityConfig.bootstrap(
        this.#factory.securityComponents(record),
        {
          stateDir: swarmDir(stateDir),
          ...(validity ? { certificateValidityMs: durationMs(validity, 0) } : {}),
        },
      );
      const membership = this.#factory.create(record, securityConfig, {
        type: 'bootstrap',
        spec: request.spec,
        availability: request.availability,
        defaultAddressPool: request.defaultAddrPool,
        subnetSize: request.subnetSize,
        dataPathPort: record.dataPathPort,
      });
      await this.#enter(membership, { ...record, unfinished: true }, signal);
      return membership.nodeId;
    });
  }

  join(request: JoinRequest): Promise<void> {
    return this.#changes.runWithin(JOIN_TIMEOUT_MS, async (signal) => {
      const record = nodeRecord(request, 0, request.remoteAddrs.map(managerAddr));
      const { stateDir } = this.#init;
      const standing = this.#standing;
      await removeMembership(stateDir);
      standing.set('pending');
      let securityConfig: SecurityConfig | undefined;
      try {
        securityConfig = await SecurityConfig.join(this.#factory.securityComponents(record), {
          stateDir: swarmDir(stateDir),
          remotes: record.managers,
          token: request.joinToken,
          availability: request.availability,
          signal,
        });
        const mode: ManagerMode = { type: 'join', remotes: record.managers };
        await this.#enter(this.#factory.create(record, securityConfig, mode), record, signal);
      } catch (error) {
        if (!standing.membership) {
          await removeMembership(stateDir);
          // If it got a certificate, it uses it to have its node removed again.
          await securityConfig?.withdraw();
          // The request may have been answered already, saying that joining goes on in the background.
          const why = signal.aborted ? '' : `joining a swarm failed: ${errorMessage(error)}`;
          standing.set('inactive', why);
        }
        throw error;
      }
    });
  }

  /** Also ends an attempt to join that is under way. */
  async leave(force: boolean): Promise<void> {
    const reason = new SwarmError('SWM_UNAVAILABLE', 'this node was told to leave');
    const interrupted = await this.#changes.interrupt(reason);
    await this.#changes.run(async () => {
      await this.#starts.end();
      const standing = this.#standing;
      const { membership } = standing;
      if (standing.damage && !force) throw standing.damage;
      if (standing.locked || standing.damage) return this.#leaveUnopened();
      if (!membership) {
        if (interrupted) return;
        throw new SwarmError('SWM_NOT_MANAGER', 'This node is not part of a swarm');
      }
      await membership.leave(force);
      standing.membership = undefined;
      await removeMembership(this.#init.stateDir);
      standing.set('inactive');
    });
  }

  /** A manager that has no quorum yet is unlocked all the same: it serves when it has one. */
  unlock(key: string): Promise<void> {
    return this.#changes.run(async (signal) => {
      const standing = this.#standing;
      if (!standing.locked) throw new SwarmError('SWM_CONFLICT', 'swarm is not locked');
      const membership = await this.#restore(standing.locked.record, parseUnlockKey(key));
      if (!membership) throw new SwarmError('SWM_INTERNAL', 'the certificate of this node is gone');
      standing.open();
      standing.membership = membership;
      standing.set('pending');
      this.#starts.begin(membership);
      await this.#attempted(signal);
    });
  }

  recover(request: RecoverRequest): Promise<string> {
    return this.#changes.run(async (signal) => {
      const { stateDir } = this.#init;
      const wanted = nodeRecord(request, 0, []);
      const init = { stateDir, record: wanted };
      const { record, unlockKey } = await recoverMembership(this.#components, request, init);
      const membership = await this.#restore(record, unlockKey);
      if (!membership) throw new SwarmError('SWM_INTERNAL', 'what was recovered is gone');
      await this.#enter(membership, record, signal);
      return membership.nodeId;
    });
  }

  /** Resolves once the first attempt to start succeeded; rejects when it failed. */
  async #attempted(signal: AbortSignal): Promise<void> {
    const standing = this.#standing;
    let unsubscribe = () => {};
    const attempted = new Promise<void>((resolve) => {
      unsubscribe = this.onState(() => {
        if (standing.phase !== 'pending') resolve();
      });
    });
    try {
      await unlessAborted(attempted, signal);
    } finally {
      unsubscribe();
    }
    if (standing.phase === 'active') return;
    const message = `swarm component could not be started: ${standing.error || standing.phase}`;
    throw new SwarmError('SWM_UNAVAILABLE', message);
  }

  /** Starts a new membership whole, or leaves nothing of it behind. */
  async #enter(membership: Membership, record: NodeRecord, signal: AbortSignal): Promise<void> {
    const standing = this.#standing;
    await writeNodeRecord(this.#init.stateDir, record);
    standing.set('pending');
    standing.membership = membership;
    try {
      await membership.start();
      await membership.ready(signal);
      await membership.keep();
      standing.set('active');
    } catch (error) {
      standing.membership = undefined;
      await membership.leave(true).catch((failure: unknown) => {
        this.#components.logger.warn({ err: errorMessage(failure) }, 'undoing a failed join');
      });
      await removeMembership(this.#init.stateDir);
      standing.set('inactive');
      throw error;
    }
  }

  /** If so, it is reported, and not tried again: another try would find the same. */
  #isDamage(error: unknown): boolean {
    if (!isSwarmError(error, 'SWM_DAMAGED')) return false;
    this.#components.logger.error({ err: error.message }, 'the membership of this node is damaged');
    this.#standing.damaged(error);
    return true;
  }

  /** Undefined when this machine is locked and `unlockKey` is not given. */
  async #restore(record: NodeRecord, unlockKey?: Uint8Array): Promise<Membership | undefined> {
    try {
      return await this.#factory.load(record, unlockKey);
    } catch (error) {
      if (!isSwarmError(error, 'SWM_LOCKED')) throw error;
      const identity = await SecurityConfig.peek(swarmDir(this.#init.stateDir));
      this.#standing.lock({ nodeId: identity?.nodeId ?? '', record });
      return undefined;
    }
  }

  /** Loads and starts the membership on disk again, after a change of it failed. */
  async #goBackTo(record: NodeRecord, unlockKey: Uint8Array | undefined): Promise<void> {
    const standing = this.#standing;
    try {
      standing.membership = await this.#restore(record, unlockKey);
      if (standing.membership) this.#starts.begin(standing.membership);
    } catch (error) {
      if (!this.#isDamage(error)) standing.set('error', errorMessage(error));
    }
  }

  /** Locked or damaged, it has no agent: the containers of its tasks are ended from outside. */
  async #leaveUnopened(): Promise<void> {
    const { engine, logger, netdriver } = this.#components;
    await sweepContainers({ engine, logger }, new Set());
    await netdriver.leaveSwarm();
    this.#standing.open();
    await removeMembership(this.#init.stateDir);
    this.#standing.set('inactive');
  }

  /** What the request leaves open stays as it is. */
  async #forceNewCluster(
    request: InitRequest,
    { nodeId, role }: Membership,
    signal: AbortSignal,
  ): Promise<string> {
    if (role !== NodeRole.MANAGER) {
      throw new SwarmError('SWM_NOT_MANAGER', `node ${nodeId} is not a manager of its swarm`, {
        hint: 'run it on a node that was a manager: only managers have the state of the swarm',
      });
    }
    await this.#starts.end();
    const standing = this.#standing;
    const old = standing.membership;
    if (!old) throw standing.damage ?? unlockKeyNeeded();
    const { advertiseAddr, listenAddr, dataPathAddr, dataPathPort } = old.record;
    const kept = {
      advertiseAddr: request.advertiseAddr || advertiseAddr,
      listenAddr: request.listenAddr || listenAddr,
      dataPathAddr: request.dataPathAddr || (request.advertiseAddr ? '' : dataPathAddr),
    };
    const record = nodeRecord(kept, request.dataPathPort || dataPathPort, []);
    await old.stop();
    standing.set('pending');
    let membership: Membership | undefined;
    try {
      membership = await this.#factory.load(record, old.unlockKey, { type: 'force-new-cluster' });
      standing.membership = membership;
      await membership.start();
      await membership.ready(signal);
    } catch (error) {
      await membership?.stop().catch(() => undefined);
      await this.#goBackTo(old.record, (membership ?? old).unlockKey);
      throw error;
    }
    standing.set('active');
    await writeNodeRecord(this.#init.stateDir, membership.record);
    return membership.nodeId;
  }
}
