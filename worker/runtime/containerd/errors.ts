import { type ServiceError, status } from '@grpc/grpc-js';

/** True for a failed gRPC call with one of `codes`. */
function hasStatus(error: unknown, ...codes: status[]): boolean {
  const code = (error as Partial<ServiceError> | undefined)?.code;
  return typeof code === 'number' && codes.includes(code);
}

export const isNotFound = (error: unknown): boolean => hasStatus(error, status.NOT_FOUND);

export const isAlreadyExists = (error: unknown): boolean => hasStatus(error, status.ALREADY_EXISTS);

export const isUnavailable = (error: unknown): boolean =>
  hasStatus(error, status.UNAVAILABLE, status.CANCELLED);

/** For clean-up, where the thing may be gone already. */
export async function ignoreNotFound(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** The text of a failed call, without gRPC's "2 UNKNOWN: ". */
export function callMessage(error: unknown): string {
  const details = (error as Partial<ServiceError> | undefined)?.details;
  return details || (error instanceof Error ? error.message : String(error));
}
