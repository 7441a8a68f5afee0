export const DEFAULT_HEARTBEAT_PERIOD_MS = 5_000;
/** A period is told to an agent with up to this part of it added or taken away, at random. */
export const HEARTBEAT_SPREAD = 0.1;
/** Periods without a heartbeat after which a node is down. */
export const GRACE_PERIODS = 3;
/** The same for nodes that a new leader has not heard of yet: their agents look for it. */
export const UNKNOWN_GRACE_PERIODS = 6;
/** The same once gossip declares the node dead too: one beat missed is proof enough. */
export const GOSSIP_DEAD_PERIODS = 1.5;
/** A node that is down this long will not bring its tasks back. */
export const ORPHAN_AFTER_MS = 24 * 60 * 60 * 1000;

/** Registrations of one node within the window before it is asked to slow down. */
export const REGISTRATIONS_MAX = 3;
export const REGISTRATION_WINDOW_MS = 8_000;

/** How long changes are collected, counted from the first one. */
export const ASSIGNMENT_BATCH_MS = 10;
/** This many changes are sent without waiting for more. */
export const ASSIGNMENT_BATCH_MAX = 100;
/** A node's own record comes quickly: it may hold the addresses that its next task needs. */
export const SESSION_BATCH_MS = 5;
/** What all nodes are told alike: at least this long, and at most that. */
export const SHARED_BATCH_MS = 20;
export const SHARED_BATCH_MAX_MS = 1_000;
export const STATUS_BATCH_MS = 20;
export const STATUS_BATCH_MAX = 10_000;
