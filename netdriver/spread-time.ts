const BASE_MS = 300;
const PER_DOUBLING_MS = 200;
const MAX_MS = 2000;

/**
 * Milliseconds until a change has reached all of `nodes` with great likelihood: changes leave with
 * the next tick of gossip, and the number of hops grows with the logarithm of the nodes.
 */
export function spreadTime(nodes: number): number {
  if (nodes <= 1) return 0;
  return Math.min(MAX_MS, BASE_MS + PER_DOUBLING_MS * Math.ceil(Math.log2(nodes)));
}
