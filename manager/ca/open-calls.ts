/**
 * The calls under way and the nodes behind each: who was removed from the swarm is not only let in no
 * more, but also loses the streams that it has.
 */
export class OpenCalls {
  readonly #calls = new Set<OpenCall>();

  /** `end` is called at most once. Returns what is to be called when the call is over. */
  add(nodeIds: readonly string[], end: (nodeId: string) => void): () => void {
    const call = { nodeIds, end };
    this.#calls.add(call);
    return () => this.#calls.delete(call);
  }

  /** Ends every call of a node for which `isRemoved` is true. */
  endOf(isRemoved: (nodeId: string) => boolean): void {
    for (const call of [...this.#calls]) {
      const removed = call.nodeIds.find(isRemoved);
      if (removed !== undefined && this.#calls.delete(call)) call.end(removed);
    }
  }

  get size(): number {
    return this.#calls.size;
  }
}

interface OpenCall {
  readonly nodeIds: readonly string[];
  readonly end: (nodeId: string) => void;
}
