import { SwarmError } from '../../common/errors.ts';
import { MEMBER_REMOVED } from './raft-metadata.ts';

/** The streams that peers have open to this manager, so that it can end them. */
export class Inbound {
  readonly #streams = new Map<(error: SwarmError) => void, number>();

  /** Returns what to call when the stream is over. */
  add(from: number, end: (error: SwarmError) => void): () => void {
    this.#streams.set(end, from);
    return () => this.#streams.delete(end);
  }

  /** Tells a removed member so. */
  endOf(raftId: number): void {
    for (const [end, from] of [...this.#streams]) if (from === raftId) this.#end(end, removed());
  }

  endAll(error: SwarmError): void {
    for (const end of [...this.#streams.keys()]) this.#end(end, error);
  }

  #end(end: (error: SwarmError) => void, error: SwarmError): void {
    this.#streams.delete(end);
    end(error);
  }
}

export function removed(): SwarmError {
  return new SwarmError('SWM_NOT_FOUND', MEMBER_REMOVED);
}
