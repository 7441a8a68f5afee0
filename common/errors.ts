import { status as Grpc } from '@grpc/grpc-js';

/**
 * The error catalogue: what a code means to an HTTP client and to a gRPC peer. docs/errors.md has a
 * row for each; a test compares the two.
 */
export const errorCatalogue = {
  SWM_INVALID_ARGUMENT: { http: 400, grpc: Grpc.INVALID_ARGUMENT },
  SWM_FAILED_PRECONDITION: { http: 400, grpc: Grpc.FAILED_PRECONDITION },
  SWM_UNAUTHENTICATED: { http: 401, grpc: Grpc.UNAUTHENTICATED },
  SWM_PERMISSION_DENIED: { http: 403, grpc: Grpc.PERMISSION_DENIED },
  SWM_NOT_FOUND: { http: 404, grpc: Grpc.NOT_FOUND },
  SWM_CONFLICT: { http: 409, grpc: Grpc.ALREADY_EXISTS },
  SWM_OUT_OF_SEQUENCE: { http: 500, grpc: Grpc.ABORTED },
  SWM_RESOURCE_EXHAUSTED: { http: 500, grpc: Grpc.RESOURCE_EXHAUSTED },
  SWM_NOT_IMPLEMENTED: { http: 501, grpc: Grpc.UNIMPLEMENTED },
  SWM_NOT_MANAGER: { http: 503, grpc: Grpc.UNAVAILABLE },
  SWM_NO_LEADER: { http: 503, grpc: Grpc.UNAVAILABLE },
  SWM_NOT_LEADER: { http: 503, grpc: Grpc.FAILED_PRECONDITION },
  SWM_UNAVAILABLE: { http: 503, grpc: Grpc.UNAVAILABLE },
  SWM_LOCKED: { http: 503, grpc: Grpc.FAILED_PRECONDITION },
  SWM_TIMEOUT: { http: 500, grpc: Grpc.DEADLINE_EXCEEDED },
  SWM_DAMAGED: { http: 500, grpc: Grpc.DATA_LOSS },
  SWM_INTERNAL: { http: 500, grpc: Grpc.INTERNAL },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

export interface SwarmErrorInit {
  /** What to do about it, in one sentence; shown after the message. */
  hint?: string;
  cause?: unknown;
}

/**
 * An error that its reader can act on: `message` is a sentence that names what was wanted and what
 * was found.
 */
export class SwarmError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, init: SwarmErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'SwarmError';
    this.code = code;
    this.hint = init.hint;
  }

  get httpStatus(): number {
    return errorCatalogue[this.code].http;
  }

  get grpcStatus(): Grpc {
    return errorCatalogue[this.code].grpc;
  }
}

/** True for a `SwarmError` with one of `codes`, or with any code when none is given. */
export function isSwarmError(error: unknown, ...codes: ErrorCode[]): error is SwarmError {
  return error instanceof SwarmError && (codes.length === 0 || codes.includes(error.code));
}

/** The text of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
