/**
 * Reads waiting for the proof that their leader was still the leader when they came (Raft thesis 6.4).
 *
 * They form a queue. Its positions, counted from 1 over the whole term, travel in the context of
 * heartbeats: an answer that carries position p proves the leadership for the first p reads, and for no
 * later one. Positions are never reused in a term, so no late answer can confirm a read that came after
 * the heartbeat it answers, not even when a caller repeats a context.
 */

import { decodeNumbers, encodeNumbers } from './numbers.ts';
import { committedIndex, type JointConfig } from './quorum/joint.ts';
import type { Message } from './types.ts';

export interface PendingRead {
  readonly request: Message;
  /** The commit index when the request came: what its answer must reflect. */
  readonly index: number;
}

export class ReadOnly {
  /** By voter, the highest position it has answered. */
  #acks = new Map<number, number>();
  #queue: PendingRead[] = [];
  /** Reads that have left the head of the queue. */
  #confirmed = 0;

  readonly #ackOf = (id: number): number | undefined => this.#acks.get(id);

  get waiting(): number {
    return this.#queue.length;
  }

  add(request: Message, index: number): void {
    this.#queue.push({ request, index });
  }

  /** The position of the newest waiting read; 0 if none waits. */
  get position(): number {
    return this.#queue.length === 0 ? 0 : this.#confirmed + this.#queue.length;
  }

  acknowledge(from: number, position: number): void {
    if (position > (this.#acks.get(from) ?? 0)) this.#acks.set(from, position);
  }

  /** `2 waiting from position 5 on, acknowledged: 1=6 3=5` */
  describe(): string {
    const acks = [...this.#acks].sort(([a], [b]) => a - b).map(([id, at]) => `${id}=${at}`);
    return (
      `${this.waiting} waiting from position ${this.#confirmed + 1} on, ` +
      `acknowledged: ${acks.join(' ') || 'none'}`
    );
  }

  /** Takes out the reads that a quorum of `config` has confirmed. */
  takeConfirmed(config: JointConfig): PendingRead[] {
    const newest = this.#confirmed + this.#queue.length;
    const confirmed = Math.min(committedIndex(config, this.#ackOf), newest);
    if (confirmed <= this.#confirmed) return [];
    const reads = this.#queue.splice(0, confirmed - this.#confirmed);
    this.#confirmed = confirmed;
    return reads;
  }
}

export function encodePosition(position: number): Uint8Array {
  return encodeNumbers(position);
}

/** 0 for what is no position: it confirms nothing. */
export function decodePosition(context: Uint8Array | undefined): number {
  return decodeNumbers(context, 1)?.[0] ?? 0;
}
