import { SwarmError } from './errors.ts';

export interface DamageInit {
  /** What to do about it, in one sentence. */
  readonly hint: string;
  readonly cause?: unknown;
}

/**
 * What to throw for a file, or a directory, that cannot be trusted. Another try finds the same, so
 * nobody should make one.
 */
export function damagedFile(path: string, what: string, init: DamageInit): SwarmError {
  return new SwarmError('SWM_DAMAGED', `${path} is damaged: ${what}`, init);
}

/** As the C library has it, which LevelDB quotes, and as Node does, in lower case. */
const TROUBLE =
  /no space left on device|disk quota exceeded|read-only file system|too many open files|file table overflow|permission denied/i;

/** True when a disk refused something that it may take later: nothing is damaged by that. */
export function isDiskTrouble(message: string): boolean {
  return TROUBLE.test(message);
}
