/** Milliseconds unless the name says otherwise. */

/** Local changes of this long go out as one message per network. */
export const COALESCE_MS = 100;
/** Anti-entropy with a random peer: what gossipsub lost (it has no history) is late by this much. */
export const SYNC_INTERVAL_MS = 5_000;
/** How long a deletion is remembered, so that a late copy of the row cannot revive it. */
export const TOMBSTONE_MS = 30 * 60_000;
export const REAP_INTERVAL_MS = 5_000;
/** Between attempts to connect to a peer that is not connected. */
export const RECONNECT_MIN_MS = 500;
export const RECONNECT_MAX_MS = 10_000;

/** SWIM with Lifeguard (Dadgar et al. 2017), with the suspicion shorter than memberlist's 4. */
export const PROBE_INTERVAL_MS = 1_000;
export const PROBE_TIMEOUT_MS = 500;
export const INDIRECT_PROBES = 3;
export const SUSPICION_MULT = 2;
export const SUSPICION_MAX_MULT = 6;
/** Confirmations that bring a suspicion down to its minimum. */
export const SUSPICION_CONFIRMATIONS = 2;
export const AWARENESS_MAX = 7;

/** A message of gossipsub is dropped silently above 4 MiB; rows go out in pieces well below. */
export const MESSAGE_BYTES_MAX = 512 * 1024;
export const SYNC_BYTES_MAX = 64 * 1024 * 1024;

/** Up to this many nodes everyone is connected to everyone; above, each dials PEERS_DIALED. */
export const FULL_MESH_MAX = 50;
export const PEERS_DIALED = 16;

export const CLUSTER_TOPIC = 'cluster';
export const networkTopic = (networkId: string): string => `net/${networkId}`;
