import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  type ErrorCode,
  errorCatalogue,
  errorMessage,
  isSwarmError,
  SwarmError,
} from './errors.ts';

const CODE_KEY = 'swm-code';
const HINT_KEY = 'swm-hint-bin';

/** What a gRPC handler passes to its callback so that the caller gets the same `SwarmError` back. */
export function toServiceError(error: unknown): Partial<ServiceError> {
  const known = error instanceof SwarmError;
  const metadata = new Metadata();
  metadata.set(CODE_KEY, known ? error.code : 'SWM_INTERNAL');
  if (known && error.hint) metadata.set(HINT_KEY, Buffer.from(error.hint));
  return {
    code: known ? error.grpcStatus : status.INTERNAL,
    details: errorMessage(error),
    message: errorMessage(error),
    metadata,
  };
}

/** The `SwarmError` behind a failed gRPC call; calls that never reached a handler are UNAVAILABLE. */
export function fromServiceError(error: unknown): SwarmError {
  if (error instanceof SwarmError) return error;
  const failure = error as Partial<ServiceError>;
  const code = codeOf(failure);
  const hint = failure.metadata?.get?.(HINT_KEY)[0]?.toString();
  const message = plainText(failure.details || errorMessage(error));
  if (code && code in errorCatalogue) return errorOfCode(code, message, hint, error);
  return new SwarmError(codeOfStatus(failure.code), message, { cause: error });
}

/** A `SwarmError` as a peer told it; SWM_INTERNAL when its code is none of the catalogue's. */
export function errorOfCode(
  code: string,
  message: string,
  hint?: string,
  cause?: unknown,
): SwarmError {
  const known = code in errorCatalogue ? (code as ErrorCode) : 'SWM_INTERNAL';
  return new SwarmError(known, message, { cause, ...(hint ? { hint } : {}) });
}

/**
 * Whether the call that failed with this error of `fromServiceError` found no connection, as opposed to
 * one that lost it. The server has then not seen it. False when it is the server that says so of a
 * connection of its own.
 */
export function neverConnected(error: unknown): boolean {
  if (!isSwarmError(error, 'SWM_UNAVAILABLE') || !NOT_CONNECTED.test(error.message)) return false;
  const failure = error.cause as Partial<ServiceError> | undefined;
  return failure !== undefined && codeOf(failure) === undefined;
}

const NOT_CONNECTED = /^No connection (to |established)/;

/** The code that the handler of the server gave; undefined when no handler was reached. */
function codeOf(failure: Partial<ServiceError>): string | undefined {
  return failure.metadata?.get?.(CODE_KEY)[0]?.toString();
}

// The words of grpc-js, and of Node in them.
const NO_CONNECTION =
  /^No connection established\. Last error: (?:Error: )?(.*)\. Resolution note:/s;
const NO_NAME = /^Name resolution failed for target (?:dns:)?(.*)$/;
const CONNECT = /^connect (E[A-Z]+) (\S+)/;
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENOENT: 'there is no such socket',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'timed out',
};

/** Frequent errors of grpc-js in words for people; all others as they are. */
function plainText(details: string): string {
  const unresolved = NO_NAME.exec(details);
  if (unresolved) return `No connection to ${unresolved[1]}: its name cannot be resolved`;
  const failed = NO_CONNECTION.exec(details);
  if (!failed) return details;
  const [, code = '', addr] = CONNECT.exec(failed[1] as string) ?? [];
  return addr
    ? `No connection to ${addr}: ${REASONS[code] ?? code}`
    : `No connection established: ${failed[1]}`;
}

function codeOfStatus(grpc: status | undefined): ErrorCode {
  switch (grpc) {
    case status.UNAVAILABLE:
    case status.CANCELLED:
      return 'SWM_UNAVAILABLE';
    case status.DEADLINE_EXCEEDED:
      return 'SWM_TIMEOUT';
    case status.UNAUTHENTICATED:
      return 'SWM_UNAUTHENTICATED';
    case status.PERMISSION_DENIED:
      return 'SWM_PERMISSION_DENIED';
    case status.NOT_FOUND:
      return 'SWM_NOT_FOUND';
    default:
      return 'SWM_INTERNAL';
  }
}
