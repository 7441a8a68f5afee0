import { isDeepStrictEqual } from 'node:util';
import { unlessAborted } from '../common/abort.ts';
import type { Clock } from '../common/clock.ts';
import { errorMessage } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Startable } from '../common/startable.ts';
import { TriggerLoop } from '../common/trigger-loop.ts';
import type { Node } from '../proto/gen/swarm/objects.ts';
import { NodeRole } from '../proto/gen/swarm/types.ts';
import type { ConsensusApi } from './consensus/types.ts';
import type { Commit, Store } from './store/types.ts';

const RETRY_MS = 5_000;

export interface RoleManagerComponents {
  readonly store: Store;
  readonly consensus: Pick<ConsensusApi, 'members' | 'removeMember' | 'onMembers'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One step towards the roles that users asked for. */
export type RoleChange =
  | { readonly type: 'promote'; readonly nodeId: string }
  | { readonly type: 'demote'; readonly nodeId: string }
  /** A demoted manager, or one whose node is gone, still among the Raft members. */
  | { readonly type: 'evict'; readonly nodeId: string; readonly raftId: number };

interface Member {
  readonly nodeId: string;
  readonly raftId: number;
}

/**
 * The steps that are possible now. A promotion changes the role at once: the node then gets its
 * certificate and joins Raft by itself. A demotion removes the member from Raft first, and changes
 * the role when it is out, so that a manager never votes without the role.
 */
export function nextRoleChanges(
  nodes: Iterable<Node>,
  members: readonly Member[],
): readonly RoleChange[] {
  const byId = new Map(Array.from(nodes, (node) => [node.id, node]));
  const evictions = members
    .filter(({ nodeId }) => byId.get(nodeId)?.spec?.desiredRole !== NodeRole.MANAGER)
    .map(({ nodeId, raftId }): RoleChange => ({ type: 'evict', nodeId, raftId }));
  const isMember = new Set(members.map(({ nodeId }) => nodeId));
  const changes: RoleChange[] = [];
  for (const { id: nodeId, role, spec } of byId.values()) {
    const desired = spec?.desiredRole ?? role;
    if (desired === role) continue;
    if (desired === NodeRole.MANAGER) changes.push({ type: 'promote', nodeId });
    else if (!isMember.has(nodeId)) changes.push({ type: 'demote', nodeId });
  }
  return [...changes, ...evictions];
}

/** Carries out `nextRoleChanges` while this manager leads; what fails is tried again after 5 s. */
export class RoleManager implements Startable {
  readonly #components: RoleManagerComponents;
  readonly #loop: TriggerLoop;
  #unsubscribe: (() => void)[] = [];

  constructor(components: RoleManagerComponents) {
    this.#components = components;
    this.#loop = new TriggerLoop(components, {
      act: (signal) => this.#look(signal),
      retryMs: RETRY_MS,
      onFailure: (error) => {
        components.logger.warn({ err: errorMessage(error) }, 'roles: looking at them failed');
      },
    });
  }

  async start(): Promise<void> {
    const { store, consensus } = this.#components;
    this.#unsubscribe = [
      store.subscribe((commit) => this.#onCommit(commit)),
      consensus.onMembers(() => this.#loop.fire()),
    ];
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#loop.stop();
  }

  #onCommit({ changes, restored }: Commit): void {
    if (restored || changes.some(({ kind }) => kind === 'node')) this.#loop.fire();
  }

  async #look(signal: AbortSignal): Promise<void> {
    for (const change of this.#next()) {
      if (signal.aborted) return;
      // The change before this one took time, in which a user may have decided otherwise.
      const isStillNext = this.#next().some((next) => isDeepStrictEqual(next, change));
      if (isStillNext) await this.#carryOut(change, signal);
    }
  }

  #next(): readonly RoleChange[] {
    const { store, consensus } = this.#components;
    return store.view((tx) => nextRoleChanges(tx.all('node'), consensus.members()));
  }

  async #carryOut(change: RoleChange, signal: AbortSignal): Promise<void> {
    const { logger } = this.#components;
    try {
      await this.#step(change, signal);
      if (!signal.aborted) logger.info(change, `roles: ${change.type}`);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ ...change, err: errorMessage(error) }, `roles: ${change.type} failed`);
      // The others need not wait for this one.
      this.#loop.fireIn(RETRY_MS);
    }
  }

  /** Ends early when leadership ends: the next leader carries on. */
  #step(change: RoleChange, signal: AbortSignal): Promise<void> {
    switch (change.type) {
      case 'promote':
        return this.#setRole(change.nodeId, NodeRole.MANAGER);
      case 'demote':
        return this.#setRole(change.nodeId, NodeRole.WORKER);
      case 'evict': {
        const removal = this.#components.consensus.removeMember(change.raftId);
        return unlessAborted(removal, signal);
      }
    }
  }

  async #setRole(nodeId: string, role: NodeRole): Promise<void> {
    await this.#components.store.update((tx) => {
      const node = tx.get('node', nodeId);
      // The user may have changed his mind since.
      if (node && node.spec?.desiredRole === role) tx.update('node', { ...node, role });
    });
  }
}
