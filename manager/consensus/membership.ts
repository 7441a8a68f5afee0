import { type ConfChangeSingle, ConfChangeType } from 'raft-ts';
import type { RaftMember, RaftMembership } from '../../proto/gen/swarm/raft.ts';

/**
 * Who the members are, as the applied log says. Beside the configuration of the core it knows node
 * ids and addresses, and the ids that were removed: those never come back.
 */
export class Membership {
  readonly #members = new Map<number, RaftMember>();
  readonly #removed = new Set<number>();

  constructor(record: RaftMembership = { members: [], removed: [] }) {
    this.restore(record);
  }

  get(raftId: number): RaftMember | undefined {
    return this.#members.get(raftId);
  }

  byNodeId(nodeId: string): RaftMember | undefined {
    for (const member of this.#members.values()) if (member.nodeId === nodeId) return member;
    return undefined;
  }

  isRemoved(raftId: number): boolean {
    return this.#removed.has(raftId);
  }

  /** Sorted by Raft id. */
  all(): readonly RaftMember[] {
    return [...this.#members.values()].sort((a, b) => a.raftId - b.raftId);
  }

  record(): RaftMembership {
    return { members: this.all(), removed: [...this.#removed].sort((a, b) => a - b) };
  }

  restore(record: RaftMembership): void {
    this.#members.clear();
    for (const member of record.members) this.#members.set(member.raftId, member);
    this.#removed.clear();
    for (const raftId of record.removed) this.#removed.add(raftId);
  }

  /** One change of a committed entry; `context` says who the added or updated member is. */
  apply(change: ConfChangeSingle, context: RaftMember | undefined): void {
    const { nodeId: raftId, type } = change;
    if (type === ConfChangeType.RemoveNode) {
      this.#members.delete(raftId);
      this.#removed.add(raftId);
      return;
    }
    const known = context?.raftId === raftId ? context : this.#members.get(raftId);
    const member = known ?? { raftId, nodeId: '', addr: '', learner: false };
    const learner =
      type === ConfChangeType.UpdateNode
        ? (this.#members.get(raftId)?.learner ?? false)
        : type === ConfChangeType.AddLearnerNode;
    this.#members.set(raftId, { ...member, learner });
  }
}
