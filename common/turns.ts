import { setImmediate } from 'node:timers/promises';

/**
 * Resolves when work that takes long may go on, after the event loop had a turn. `what` names the work to
 * those who watch over the event loop.
 */
export type YieldTurn = (what?: string) => Promise<void>;

/** In the next turn of the event loop, beside everything else that waits for it. */
export const nextTurn: YieldTurn = () => setImmediate();
