import type { Clock } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import { type Logger, silentLogger } from '../../common/logger.ts';
import type { Pacing } from '../../common/slices.ts';
import { nextTurn, type YieldTurn } from '../../common/turns.ts';
import type { Proposer, StateMachine } from '../consensus/types.ts';
import { AppliedIndex } from './applied-index.ts';
import { type Action, decodeTransaction } from './codec.ts';
import { tooLarge } from './errors.ts';
import type { AnyObject } from './kinds.ts';
import { Overlay } from './overlay.ts';
import { SharedParts } from './shared-parts.ts';
import { readSnapshot, writeSnapshot } from './snapshot.ts';
import { newTables, type Table, type Tables } from './table.ts';
import { Transaction } from './transaction.ts';
import type { Commit, Kind, ReadTx, Store, StoreChange, WriteTx } from './types.ts';
import { CommittedView, ProposedView } from './views.ts';

/** Objects that one transaction may change. */
export const MAX_CHANGES = 200;
/** Bytes of one transaction. */
export const MAX_BYTES = 1.5 * 1024 * 1024;
/** A batch starts a new transaction when the next item could go over the limit. */
const BATCH_BYTES = 0.75 * MAX_BYTES;
/** Milliseconds for which one transaction of a batch collects items. */
const BATCH_MS = 5;
/** Transactions of one batch that may be in flight. */
const BATCH_IN_FLIGHT = 64;

export interface MemoryStoreComponents extends Pacing {
  readonly proposer: Proposer;
  readonly logger?: Logger;
}

/** A transaction on its way through the log. */
interface Pending {
  readonly writer: Transaction;
  readonly actions: readonly Action[];
  readonly data: Uint8Array;
}

/**
 * The replicated objects of one manager. Committed state changes only in `apply` and `restore`,
 * which the log drives; the newest proposed state is the committed one under an overlay of what
 * this manager, as leader, has proposed and not yet seen committed.
 *
 * Invariants: pending transactions are in log order and all above the applied index; the overlay
 * holds exactly the last value that they wrote to each object; on a follower both are empty.
 */
export class MemoryStore implements Store, StateMachine {
  readonly #proposer: Proposer;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pacing: { readonly clock: Clock; readonly yieldTurn: YieldTurn };
  readonly #shared = new SharedParts();
  readonly #overlay = new Overlay();
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(commit: Commit) => void>();
  readonly #applied = new AppliedIndex();
  #writing = false;
  /** The outcome of the newest proposal, which is that of everything below it as well. */
  #newest: Promise<void> = Promise.resolve();
  #tables: Tables = newTables();
  #committed: ReadTx = new CommittedView(this.#tables);
  #proposed: ReadTx = new ProposedView(this.#tables, this.#overlay);

  constructor(components: MemoryStoreComponents) {
    this.#proposer = components.proposer;
    this.#clock = components.clock;
    this.#logger = components.logger ?? silentLogger;
    this.#pacing = { clock: this.#clock, yieldTurn: components.yieldTurn ?? nextTurn };
  }

  get appliedIndex(): number {
    return this.#applied.index;
  }

  waitApplied(index: number, signal?: AbortSignal): Promise<void> {
    return this.#applied.wait(index, signal);
  }

  view<T>(read: (tx: ReadTx) => T): T {
    return read(this.#committed);
  }

  async update<T>(write: (tx: WriteTx) => T): Promise<T> {
    const [result, committed] = this.#transact((tx) => {
      const result = write(tx);
      refuseTooLarge(tx);
      return [result, this.#propose(tx)] as const;
    });
    await committed;
    return result;
  }

  async batch<I>(items: Iterable<I>, write: (tx: WriteTx, item: I) => void): Promise<void> {
    const inFlight: Promise<void>[] = [];
    const queue = items[Symbol.iterator]();
    for (let item = queue.next(); !item.done; ) {
      item = this.#proposeSome(queue, item, write, inFlight);
      if (inFlight.length >= BATCH_IN_FLIGHT) await inFlight.shift();
      if (!item.done) await this.#pacing.yieldTurn('store: batch');
    }
    await Promise.all(inFlight);
  }

  subscribe(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  apply(index: number, data: Uint8Array): void {
    const actions = this.#settle(index, data) ?? decodeTransaction(index, data, this.#shared);
    const changes = actions.flatMap((action) => applyAction(this.#tables, action));
    this.#committedUpTo({ index, changes, restored: false });
  }

  discardProposals(): void {
    this.#pending.clear();
    this.#overlay.clear();
    this.#newest = Promise.resolve();
  }

  snapshot(): AsyncIterable<Uint8Array> {
    return writeSnapshot(this.#tables, this.#pacing);
  }

  async restore(index: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const tables = await readSnapshot(chunks, this.#pacing, this.#shared);
    this.discardProposals();
    this.#tables = tables;
    this.#committed = new CommittedView(tables);
    this.#proposed = new ProposedView(tables, this.#overlay);
    this.#committedUpTo({ index, changes: [], restored: true });
  }

  /** Runs one transaction, of which nothing is left when it throws. */
  #transact<T>(work: (tx: Transaction) => T): T {
    if (this.#writing) throw new Error('a transaction was begun inside another one');
    this.#writing = true;
    const tx = new Transaction(this.#proposed, this.#overlay, this.#clock.now());
    try {
      return work(tx);
    } catch (error) {
      tx.rollback();
      throw error;
    } finally {
      this.#writing = false;
    }
  }

  /** Hands a finished transaction to the log; the result settles with its outcome. */
  #propose(tx: Transaction): Promise<void> {
    const data = tx.encode();
    if (data.length === 0) {
      tx.rollback();
      return this.#newest;
    }
    const { index, committed } = this.#proposer.propose(data);
    this.#pending.set(index, { writer: tx, actions: tx.seal(index), data });
    this.#newest = committed;
    return committed;
  }

  /** One transaction of a batch, with as many items as fit; returns the first that did not. */
  #proposeSome<I>(
    queue: Iterator<I>,
    first: IteratorResult<I>,
    write: (tx: WriteTx, item: I) => void,
    inFlight: Promise<void>[],
  ): IteratorResult<I> {
    const { next, failure, committed } = this.#transact((tx) => {
      const filled = this.#fill(tx, queue, first, write);
      return { ...filled, committed: this.#propose(tx) };
    });
    committed.catch(() => {}); // Whoever awaits `inFlight` reports it.
    inFlight.push(committed);
    if (failure) throw failure.error;
    return next;
  }

  /** Writes items until the transaction is full, its time is up or one throws. */
  #fill<I>(
    tx: Transaction,
    queue: Iterator<I>,
    first: IteratorResult<I>,
    write: (tx: WriteTx, item: I) => void,
  ): { next: IteratorResult<I>; failure?: { error: unknown } } {
    const until = this.#clock.monotonic() + BATCH_MS;
    let next = first;
    while (!next.done && this.#clock.monotonic() <= until) {
      const mark = tx.mark();
      try {
        write(tx, next.value);
        if (mark === 0) refuseTooLarge(tx);
      } catch (error) {
        tx.rollback(mark);
        return { next, failure: { error } };
      }
      const isFull = tx.size > MAX_CHANGES || tx.byteLength > BATCH_BYTES;
      if (isFull && mark > 0) {
        tx.rollback(mark);
        return { next };
      }
      next = queue.next();
    }
    return { next };
  }

  /**
   * What `index` does if it is this manager's own proposal, which is thereby no longer pending.
   * Anything else at an index where a proposal was expected means that leadership was lost.
   */
  #settle(index: number, data: Uint8Array): readonly Action[] | undefined {
    const [expected] = this.#pending.keys();
    if (expected === undefined) return undefined;
    const { writer, actions, data: proposed } = this.#pending.get(expected) as Pending;
    if (expected !== index || Buffer.compare(proposed, data) !== 0) {
      this.#logger.error({ expected, index }, 'another entry was committed than was proposed');
      this.discardProposals();
      return undefined;
    }
    this.#pending.delete(index);
    for (const { kind, id } of actions) this.#overlay.release(kind, id, writer);
    return actions;
  }

  #committedUpTo(commit: Commit): void {
    this.#applied.advance(commit.index);
    for (const listener of [...this.#listeners]) {
      try {
        listener(commit);
      } catch (error) {
        this.#logger.error({ err: errorMessage(error) }, 'a store listener threw');
      }
    }
  }
}

/** The change that an action makes; none for the removal of what is not there. */
function applyAction(tables: Tables, { kind, id, object }: Action): StoreChange[] {
  const table = tables[kind] as unknown as Table<Kind>;
  const old: AnyObject | undefined = table.get(id);
  if (object) table.set(object);
  else table.delete(id);
  if (object && old) return [{ type: 'update', kind, object, old } as StoreChange];
  if (object) return [{ type: 'create', kind, object } as StoreChange];
  return old ? [{ type: 'remove', kind, object: old } as StoreChange] : [];
}

function refuseTooLarge(tx: Transaction): void {
  if (tx.size > MAX_CHANGES) throw tooLarge(`${tx.size} changes (at most ${MAX_CHANGES})`);
  if (tx.byteLength > MAX_BYTES) throw tooLarge(`${tx.byteLength} bytes (at most ${MAX_BYTES})`);
}
