import { isDeepStrictEqual } from 'node:util';
import { errorMessage } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Startable } from '../common/startable.ts';
import { Trigger } from '../common/trigger.ts';
import { type ManagerStatus, Reachability } from '../proto/gen/swarm/types.ts';
import type { ConsensusApi, MemberStatus } from './consensus/types.ts';
import type { Commit, Store, WriteTx } from './store/types.ts';

export interface ManagerStatusKeeperComponents {
  readonly store: Store;
  readonly consensus: Pick<ConsensusApi, 'members' | 'onMembers'>;
  readonly logger: Logger;
}

/** Keeps `manager_status` of the nodes as the leader sees the Raft members. */
export class ManagerStatusKeeper implements Startable {
  readonly #components: ManagerStatusKeeperComponents;
  readonly #trigger = new Trigger();
  readonly #abort = new AbortController();
  #unsubscribe: (() => void)[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(components: ManagerStatusKeeperComponents) {
    this.#components = components;
  }

  async start(): Promise<void> {
    const { store, consensus } = this.#components;
    this.#unsubscribe = [
      consensus.onMembers(() => this.#trigger.fire()),
      store.subscribe((commit) => this.#onCommit(commit)),
    ];
    this.#trigger.fire();
    this.#running = this.#run(this.#abort.signal);
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#abort.abort();
    await this.#running;
  }

  // A member may be there before its node is, on the way back from a backup.
  #onCommit({ changes, restored }: Commit): void {
    const created = changes.some(({ kind, type }) => kind === 'node' && type === 'create');
    if (restored || created) this.#trigger.fire();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { store, consensus, logger } = this.#components;
    while (!signal.aborted) {
      await this.#trigger.wait(signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await store.update((tx) => writeStatuses(tx, consensus.members()));
      } catch (error) {
        // Leadership is gone, and with it this loop, in a moment.
        logger.debug({ err: errorMessage(error) }, 'the status of the managers was not written');
      }
    }
  }
}

/** Writes the nodes whose status is not that of `members`. */
export function writeStatuses(tx: WriteTx, members: readonly MemberStatus[]): void {
  const byNode = new Map(members.map((member) => [member.nodeId, member]));
  for (const node of [...tx.all('node')]) {
    const managerStatus = statusOf(byNode.get(node.id));
    if (!isDeepStrictEqual(managerStatus, node.managerStatus)) {
      tx.update('node', { ...node, managerStatus });
    }
  }
}

function statusOf(member: MemberStatus | undefined): ManagerStatus | undefined {
  if (!member) return undefined;
  const { raftId, addr, leader, reachable } = member;
  const reachability = reachable ? Reachability.REACHABLE : Reachability.UNREACHABLE;
  return { raftId, addr, leader, reachability };
}
