import { SwarmError } from '../../common/errors.ts';
import { REGISTRATION_WINDOW_MS, REGISTRATIONS_MAX } from './constants.ts';

interface Window {
  start: number;
  count: number;
}

/**
 * Keeps an agent that registers in a loop from filling the log with registrations. Kept apart from
 * sessions, so that a node that was removed and came back is still remembered.
 */
export class RegistrationLimit {
  readonly #windows = new Map<string, Window>();

  /** Counts a registration at `now` (monotonic milliseconds). Throws SWM_UNAVAILABLE above the limit. */
  admit(nodeId: string, now: number): void {
    const window = this.#windows.get(nodeId);
    if (!window || now - window.start >= REGISTRATION_WINDOW_MS) {
      this.#windows.set(nodeId, { start: now, count: 1 });
      this.#prune(now);
      return;
    }
    // The first registration opens the window, so that the limit counts those that follow it.
    if (window.count > REGISTRATIONS_MAX) {
      throw new SwarmError(
        'SWM_UNAVAILABLE',
        `node ${nodeId} registered ${window.count} times within ` +
          `${REGISTRATION_WINDOW_MS / 1000} s and exceeded the rate limit of registrations`,
      );
    }
    window.count++;
  }

  #prune(now: number): void {
    if (this.#windows.size < 1024) return;
    for (const [nodeId, window] of this.#windows) {
      if (now - window.start >= REGISTRATION_WINDOW_MS) this.#windows.delete(nodeId);
    }
  }
}
