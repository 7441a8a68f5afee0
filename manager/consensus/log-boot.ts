import {
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV2,
  decodeConfChange,
  type Entry,
  EntryType,
  encodeConfChange,
} from 'raft-ts';
import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import { RaftMember, type RaftMembership } from '../../proto/gen/swarm/raft.ts';
import type { LogDisk } from './log-disk.ts';
import type { LogIdentity, StoredLog } from './log-records.ts';
import { Membership } from './membership.ts';
import { newRaftId } from './raft-id.ts';

export interface BootInit {
  readonly nodeId: string;
  /** Where the other managers reach this one. */
  readonly addr: string;
  /** Begins a new cluster, if nothing is stored yet. */
  readonly bootstrap?: boolean;
  /** Enters an existing one, if nothing is stored yet: the answer to the join request. */
  readonly join?: { readonly raftId: number; readonly membership: RaftMembership };
  /** Makes this manager the only member of the cluster whose log is stored. */
  readonly forceNewCluster?: boolean;
}

/** The log to start from: the stored one, or the first of a new member. */
export async function bootLog(
  components: { readonly disk: LogDisk; readonly random: Random },
  init: BootInit,
): Promise<StoredLog> {
  const { disk, random } = components;
  const stored = await disk.open();
  try {
    if (stored) {
      checkOwner(stored, disk.dir, init);
      return init.forceNewCluster ? await forceNewCluster(disk, random, stored, init) : stored;
    }
    if (init.bootstrap && !init.forceNewCluster) return await bootstrap(disk, random, init);
    if (init.join && !init.forceNewCluster) return await join(disk, init, init.join);
  } catch (error) {
    await disk.close();
    throw error;
  }
  await disk.close();
  throw new SwarmError('SWM_FAILED_PRECONDITION', `There is no Raft log in ${disk.dir}.`, {
    hint: 'Begin a new cluster, or join one.',
  });
}

/** What a committed entry changes in the membership. */
export function changeOf(entry: Entry): { change: ConfChangeV2; member: RaftMember | undefined } {
  const decoded = decodeConfChange(entry);
  const { context } = decoded;
  const change: ConfChangeV2 =
    'changes' in decoded
      ? decoded
      : { transition: ConfChangeTransition.Auto, changes: [decoded], context };
  return { change, member: context && RaftMember.decode(context) };
}

export function memberChange(type: ConfChangeType, member: RaftMember): ConfChangeV2 {
  return {
    transition: ConfChangeTransition.Auto,
    changes: [{ type, nodeId: member.raftId }],
    context: RaftMember.encode(member).finish(),
  };
}

/**
 * A new cluster's log begins with the entry that makes its first member a voter, so that whoever joins
 * later and reads the log from its start learns of it.
 */
async function bootstrap(disk: LogDisk, random: Random, init: BootInit): Promise<StoredLog> {
  const raftId = newRaftId(random, () => false);
  const self = { raftId, nodeId: init.nodeId, addr: init.addr, learner: false };
  const entry = changeEntry(1, 1, ConfChangeType.AddNode, self);
  const identity: LogIdentity = { format: 1, raftId, nodeId: init.nodeId };
  const hardState = { term: 1, vote: 0, commit: 1 };
  await disk.write({ identity, hardState, entries: [entry], prevTerm: 0, sync: true });
  return { identity, hardState, snapshot: undefined, entries: [entry], prevTerm: 0 };
}

async function join(
  disk: LogDisk,
  init: BootInit,
  answer: NonNullable<BootInit['join']>,
): Promise<StoredLog> {
  const { raftId, membership } = answer;
  const identity: LogIdentity = { format: 1, raftId, nodeId: init.nodeId, joined: membership };
  const hardState = { term: 0, vote: 0, commit: 0 };
  await disk.write({ identity, hardState, sync: true });
  return { identity, hardState, snapshot: undefined, entries: [], prevTerm: 0 };
}

/**
 * Appends the removal of everybody else and calls all of the log committed. What the lost majority had
 * acknowledged is in this log or was never in it; entries nobody knows the fate of are kept, because
 * among them may be acknowledged ones whose commit index this member had not heard of yet.
 */
async function forceNewCluster(
  disk: LogDisk,
  random: Random,
  stored: StoredLog,
  init: BootInit,
): Promise<StoredLog> {
  const membership = membershipAfter(stored);
  const wasRemoved = membership.isRemoved(stored.identity.raftId);
  const raftId = wasRemoved
    ? newRaftId(random, (id) => membership.isRemoved(id) || membership.get(id) !== undefined)
    : stored.identity.raftId;
  const self = { raftId, nodeId: init.nodeId, addr: init.addr, learner: false };
  const others = membership.all().filter((member) => member.raftId !== raftId);
  const lastEntry = stored.entries.at(-1);
  const last = lastEntry?.index ?? stored.snapshot?.index ?? 0;
  const prevTerm = lastEntry?.term ?? stored.snapshot?.term ?? 0;
  const term = stored.hardState.term + 1;
  const changes = [
    changeEntry(term, last + 1, ConfChangeType.AddNode, self),
    ...others.map((member, i) =>
      changeEntry(term, last + 2 + i, ConfChangeType.RemoveNode, member),
    ),
  ];
  const identity: LogIdentity = { format: 1, raftId, nodeId: init.nodeId };
  const hardState = { term, vote: 0, commit: last + changes.length };
  await disk.write({ identity, hardState, entries: changes, prevTerm, sync: true });
  return {
    identity,
    hardState,
    snapshot: stored.snapshot,
    entries: [...stored.entries, ...changes],
    prevTerm: lastEntry ? stored.prevTerm : prevTerm,
  };
}

function membershipAfter(stored: StoredLog): Membership {
  const membership = new Membership(stored.snapshot?.membership);
  for (const entry of stored.entries) {
    if (entry.type === EntryType.Normal || entry.index <= (stored.snapshot?.index ?? 0)) continue;
    const { change, member } = changeOf(entry);
    for (const each of change.changes) membership.apply(each, member);
  }
  return membership;
}

function changeEntry(term: number, index: number, type: ConfChangeType, member: RaftMember): Entry {
  const data = encodeConfChange(memberChange(type, member));
  return { term, index, type: EntryType.ConfChangeV2, data };
}

function checkOwner(stored: StoredLog, dir: string, init: BootInit): void {
  const { nodeId } = stored.identity;
  if (nodeId === init.nodeId) return;
  const message = `The Raft log in ${dir} belongs to node ${nodeId}, and this is node ${init.nodeId}.`;
  throw new SwarmError('SWM_CONFLICT', message, {
    hint: 'Start with the state directory that belongs to this node.',
  });
}
