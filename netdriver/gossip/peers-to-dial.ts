import { FULL_MESH_MAX, PEERS_DIALED } from './constants.ts';

/**
 * Whom a node keeps connections to: everyone in a small cluster; in a large one the
 * `PEERS_DIALED` peers that follow it on the ring of sorted ids, half at doubling distances
 * (as Chord's fingers) so that the graph is connected and shallow.
 */
export function peersToDial(selfId: string, peerIds: readonly string[]): readonly string[] {
  if (peerIds.length <= FULL_MESH_MAX) return peerIds;
  const ring = [...peerIds].sort();
  const start = ring.findIndex((id) => id > selfId);
  const at = (offset: number) => ring[(Math.max(start, 0) + offset) % ring.length] as string;
  const chosen = new Set<string>();
  for (let distance = 1; distance < ring.length; distance *= 2) chosen.add(at(distance - 1));
  for (let next = 0; chosen.size < PEERS_DIALED; next++) chosen.add(at(next));
  return [...chosen];
}
