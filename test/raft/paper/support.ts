/** What the tests of the paper share: one node, what is put in its log, and what it says. */

import {
  type Entry,
  EntryType,
  type Message,
  type MessageInit,
  message,
  StateType,
} from '../../../manager/raft/index.ts';
import { Cluster, type ClusterInit } from '../support/cluster.ts';
import type { Member } from '../support/member.ts';

export const { Follower, Candidate, Leader, PreCandidate } = StateType;

/** Entries with these terms, the first at `from`. */
export function entriesOf(from: number, terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: from + i, type: EntryType.Normal }));
}

/** The terms of a member's log, behind the snapshot at 1 that every cluster here begins with. */
export function termsOf(member: Member): number[] {
  return member.log().map(({ term }) => term);
}

/** `size` voters. `logs` gives some of them a durable log behind index 1, and its last term. */
export function clusterOf(
  size: number,
  logs: Readonly<Record<number, readonly number[]>> = {},
  init: ClusterInit = {},
): Cluster {
  const voters = Array.from({ length: size }, (_, i) => i + 1);
  const cluster = new Cluster({ ...init, voters });
  for (const [id, terms] of Object.entries(logs)) {
    const { storage } = cluster.member(Number(id));
    storage.append(entriesOf(2, terms));
    storage.setHardState({ term: Math.max(1, ...terms), vote: 0, commit: 1 });
    cluster.member(Number(id)).restart();
  }
  return cluster;
}

/** Has node 1 step a message of `from`, in node 1's own term unless given, and returns its answers. */
export function ask(cluster: Cluster, from: number, init: MessageInit): Message[] {
  const { node, term } = cluster.member(1);
  cluster.flush(1);
  cluster.take();
  node.step(message({ term, from, to: 1, ...init }));
  cluster.flush(1);
  return cluster.take(({ to }) => to === from);
}

export const stateOf = (cluster: Cluster, id = 1): StateType => cluster.member(id).node.raft.state;

/** Makes node 1 what the name says, in term 2 or above. */
export function become(cluster: Cluster, state: StateType): void {
  if (state === Leader) cluster.elect(1);
  else if (state === Candidate) {
    cluster.member(1).node.campaign();
    cluster.flush(1);
    cluster.take();
  } else {
    ask(cluster, 2, { type: 8, term: 2 });
  }
  if (stateOf(cluster) !== state) throw new Error(`node 1 is in state ${stateOf(cluster)}`);
}
