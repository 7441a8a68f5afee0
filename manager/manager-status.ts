import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../common/clock.ts';
import { errorMessage } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Startable } from '../common/startable.ts';
import { TriggerLoop } from '../common/trigger-loop.ts';
import { type ManagerStatus, Reachability } from '../proto/gen/swarm/types.ts';
import type { ConsensusApi, MemberStatus } from './consensus/types.ts';
import type { Commit, Store, WriteTx } from './store/types.ts';

export interface ManagerStatusKeeperComponents {
  readonly store: Store;
  readonly consensus: Pick<ConsensusApi, 'members' | 'onMembers'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const RETRY_MS = 1_000;

/** Keeps `manager_status` of the nodes as the leader sees the Raft members. */
export class ManagerStatusKeeper implements Startable {
  readonly #components: ManagerStatusKeeperComponents;
  readonly #loop: TriggerLoop;
  #unsubscribe: (() => void)[] = [];

  constructor(components: ManagerStatusKeeperComponents) {
    const { store, consensus, logger } = components;
    this.#components = components;
    this.#loop = new TriggerLoop(components, {
      act: () => store.update((tx) => writeStatuses(tx, consensus.members())),
      retryMs: RETRY_MS,
      // Most often leadership is gone, and with it this loop, in a moment.
      onFailure: (error) => {
        logger.debug({ err: errorMessage(error) }, 'the status of the managers was not written');
      },
    });
  }

  async start(): Promise<void> {
    const { store, consensus } = this.#components;
    this.#unsubscribe = [
      consensus.onMembers(() => this.#loop.fire()),
      store.subscribe((commit) => this.#onCommit(commit)),
    ];
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#loop.stop();
  }

  // A member may be there before its node is, on the way back from a backup.
  #onCommit({ changes, restored }: Commit): void {
    const created = changes.some(({ kind, type }) => kind === 'node' && type === 'create');
    if (restored || created) this.#loop.fire();
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
