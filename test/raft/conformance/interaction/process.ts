/** What a driver does: handling Readys, and being the storage threads. */

import {
  type ConfState,
  decodeConfChange,
  describeMessage,
  describeReady,
  EMPTY_HARD_STATE,
  type Entry,
  EntryType,
  type HardState,
  isEmptySnapshot,
  isStorageThread,
  type Message,
  MessageType,
  type Snapshot,
} from '../../../../manager/raft/index.ts';
import { concatBytes } from './bytes.ts';
import type { EnvironmentNode, InteractionEnvironment } from './environment.ts';

export function processReady(env: InteractionEnvironment, node: EnvironmentNode): void {
  const ready = node.raw.ready();
  env.output.write(describeReady(ready));
  const isAsync = node.config.asyncStorageWrites === true;
  if (!isAsync) {
    append(node, ready.hardState ?? EMPTY_HARD_STATE, ready.entries, ready.snapshot);
    apply(node, ready.committedEntries);
  }
  for (const m of ready.messages) {
    if (!isStorageThread(m.to)) env.messages.push(m);
    else if (m.type === MessageType.StorageAppend) node.appendWork.push(m);
    else node.applyWork.push(m);
  }
  if (!isAsync) node.raw.advance();
}

export function processAppendThread(env: InteractionEnvironment, node: EnvironmentNode): void {
  const work = node.appendWork.shift();
  if (work === undefined) {
    env.output.write('no append work to perform');
    return;
  }
  announce(env, work);
  const { term, vote, commit } = work;
  append(node, { term, vote, commit }, work.entries, work.snapshot);
  respond(env, work);
}

export function processApplyThread(env: InteractionEnvironment, node: EnvironmentNode): void {
  const work = node.applyWork.shift();
  if (work === undefined) {
    env.output.write('no apply work to perform');
    return;
  }
  announce(env, work);
  apply(node, work.entries);
  respond(env, work);
}

function announce(env: InteractionEnvironment, work: Message): void {
  env.output.write(`Processing:\n${describeMessage({ ...work, responses: undefined })}\n`);
}

function respond(env: InteractionEnvironment, work: Message): void {
  const responses = work.responses ?? [];
  env.output.write('Responses:\n');
  for (const m of responses) env.output.write(`${describeMessage(m)}\n`);
  env.messages.push(...responses);
}

function append(
  { storage }: EnvironmentNode,
  hardState: HardState,
  entries: readonly Entry[],
  snapshot: Snapshot | undefined,
): void {
  const { term, vote, commit } = hardState;
  if (term !== 0 || vote !== 0 || commit !== 0) storage.setHardState(hardState);
  if (isEmptySnapshot(snapshot)) {
    storage.append(entries);
    return;
  }
  if (entries.length > 0) throw new Error("can't apply snapshot and entries at the same time");
  storage.applySnapshot(snapshot!);
}

function apply(node: EnvironmentNode, entries: readonly Entry[]): void {
  const { history } = node.storage;
  for (const entry of entries) {
    const { update, confState } = execute(node, entry);
    const last = history.at(-1)!;
    history.push({
      metadata: {
        index: entry.index,
        term: entry.term,
        confState: confState ?? last.metadata.confState,
      },
      data: concatBytes(last.data, update),
    });
  }
}

function execute(
  { raw }: EnvironmentNode,
  entry: Entry,
): { update?: Uint8Array; confState?: ConfState } {
  if (entry.type === EntryType.Normal) return { update: entry.data };
  const change = decodeConfChange(entry);
  return { update: change.context, confState: raw.applyConfChange(change) };
}
