import { isSwarmError, SwarmError } from '../../common/errors.ts';

/**
 * The first result of `attempt` over `remotes`. A manager that cannot be reached is passed over; any
 * other failure is final.
 */
export async function tryEach<T>(
  remotes: readonly string[],
  attempt: (remote: string) => Promise<T>,
): Promise<T> {
  let last: unknown = new SwarmError('SWM_UNAVAILABLE', 'no address of a manager is known');
  for (const remote of remotes) {
    try {
      return await attempt(remote);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      last = error;
    }
  }
  throw last;
}

/** Whether another manager, or another time, may do what this one did not. */
export function isUnreachable(error: unknown): boolean {
  return isSwarmError(
    error,
    'SWM_UNAVAILABLE',
    'SWM_TIMEOUT',
    'SWM_NO_LEADER',
    'SWM_NOT_LEADER',
    'SWM_NOT_MANAGER',
  );
}
