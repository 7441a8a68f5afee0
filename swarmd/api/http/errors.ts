import { errorMessage, SwarmError } from '../../../common/errors.ts';

const NO_LEADER =
  'rpc error: code = Unknown desc = The swarm does not have a leader. ' +
  "It's possible that too few managers are online. " +
  'Make sure more than half of the managers are online.';

/** What a client gets for something that was thrown: the status, and the body's `message`. */
export function httpErrorOf(error: unknown): { status: number; message: string } {
  if (error instanceof SwarmError) return { status: error.httpStatus, message: textOf(error) };
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  const known = typeof status === 'number' && status >= 400 && status < 600;
  return { status: known ? status : 500, message: errorMessage(error) };
}

/**
 * Two errors keep the wording that clients of Docker Swarm search for. A hint follows on a line of
 * its own, so that matching on the message works with and without it.
 */
function textOf(error: SwarmError): string {
  if (error.code === 'SWM_NO_LEADER') return NO_LEADER;
  if (error.code === 'SWM_OUT_OF_SEQUENCE') {
    return 'rpc error: code = Unknown desc = update out of sequence';
  }
  return error.hint ? `${error.message}\n${error.hint}` : error.message;
}

export function badRequest(message: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message);
}

export function notFound(message: string): SwarmError {
  return new SwarmError('SWM_NOT_FOUND', message);
}

export function forbidden(message: string): SwarmError {
  return new SwarmError('SWM_PERMISSION_DENIED', message);
}

export function conflict(message: string): SwarmError {
  return new SwarmError('SWM_CONFLICT', message);
}

export function notImplemented(message: string): SwarmError {
  return new SwarmError('SWM_NOT_IMPLEMENTED', message);
}
