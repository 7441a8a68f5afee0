import type { ContainerStatus, PortStatus } from '../../proto/gen/swarm/types.ts';

/** Runs one task. Operations come one at a time; an aborted one rejects with the signal's reason. */
export interface Controller {
  /** Makes all that is needed to start. Idempotent. */
  prepare(signal: AbortSignal): Promise<void>;
  /** Resolves when the task works, i.e. is healthy if it says what that means. Idempotent. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when the task ended well; rejects with `TaskExitError` when it did not. */
  wait(signal: AbortSignal): Promise<void>;
  /** Ends it, gently first. Idempotent. */
  shutdown(signal: AbortSignal): Promise<void>;
  /** Removes every trace, running or not. Idempotent. */
  remove(): Promise<void>;
  /** What is known of the container now; undefined while there is none. */
  status(): { container: ContainerStatus; ports: PortStatus | undefined } | undefined;
}

/** The task ran, and ended badly. */
export class TaskExitError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, reason?: string) {
    super(`task: non-zero exit (${exitCode})${reason ? `: ${reason}` : ''}`);
    this.name = 'TaskExitError';
    this.exitCode = exitCode;
  }
}

/** Worth another try: the state of the task is kept and the operation repeated. */
export class TemporaryError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemporaryError';
  }
}
