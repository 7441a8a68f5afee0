/** Defaults of `ConsensusInit`. Times are milliseconds. */
export const TICK_MS = 100;
export const HEARTBEAT_TICKS = 1;
export const ELECTION_TICKS = 10;

/** The shortest election timeout; the longest is nearly twice that. */
export function electionMs(init: { tickMs?: number; electionTicks?: number }): number {
  return (init.tickMs ?? TICK_MS) * (init.electionTicks ?? ELECTION_TICKS);
}

export const SNAPSHOT_POLICY = { interval: 10_000, keep: 500 };

/** Entry bytes in one message to a follower, and under way to it altogether. */
export const MESSAGE_BYTES_MAX = 512 * 1024;
export const INFLIGHT_MESSAGES_MAX = 256;
export const INFLIGHT_BYTES_MAX = 16 * 1024 * 1024;

/** Committed entries that are handed to the state machine at a time. */
export const APPLY_BYTES_MAX = 2 * 1024 * 1024;

/** Payload of proposals that are not yet applied: beyond it the leader refuses more. */
export const UNCOMMITTED_BYTES_MAX = 64 * 1024 * 1024;

/** A manager that is called must answer at its address within this time. */
export const HEALTH_TIMEOUT_MS = 5000;

/** One proposal. Two of them must fit into a gRPC message. */
export const PROPOSAL_BYTES_MAX = 2 * 1024 * 1024;
