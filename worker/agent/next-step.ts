import { TaskState } from '../../proto/gen/swarm/types.ts';

export type Operation = 'prepare' | 'start' | 'wait' | 'shutdown';

/** One move of a task's state machine. */
export type Step =
  | { readonly kind: 'idle' }
  /** Nothing to do but to say so. */
  | { readonly kind: 'enter'; readonly state: TaskState; readonly message: string }
  /** Ask the controller; when it succeeds the task is in `state`. */
  | {
      readonly kind: 'run';
      readonly operation: Operation;
      readonly state: TaskState;
      readonly message: string;
    };

const IDLE: Step = { kind: 'idle' };

/**
 * What a task in `state` does next on its way to `desired`. Preparing, starting and running are
 * carried through even when they end beyond `desired`: they are under way, and their outcome counts.
 */
export function nextStep(desired: TaskState, state: TaskState): Step {
  if (desired >= TaskState.SHUTDOWN) {
    if (state >= TaskState.COMPLETE) return IDLE;
    return run('shutdown', TaskState.SHUTDOWN, 'shutdown');
  }
  if (state > desired) return IDLE;
  if (state === TaskState.PREPARING) return run('prepare', TaskState.READY, 'prepared');
  if (state === TaskState.STARTING) return run('start', TaskState.RUNNING, 'started');
  if (state === TaskState.RUNNING) return run('wait', TaskState.COMPLETE, 'finished');
  if (state >= desired) return IDLE;
  return advance(state);
}

function advance(state: TaskState): Step {
  switch (state) {
    case TaskState.NEW:
    case TaskState.PENDING:
    case TaskState.ASSIGNED:
      return enter(TaskState.ACCEPTED, 'accepted');
    case TaskState.ACCEPTED:
      return enter(TaskState.PREPARING, 'preparing');
    case TaskState.READY:
      return enter(TaskState.STARTING, 'starting');
    default:
      return IDLE;
  }
}

/** Where a task goes whose operation failed for good. */
export function failureState(state: TaskState): TaskState {
  return state < TaskState.STARTING ? TaskState.REJECTED : TaskState.FAILED;
}

function run(operation: Operation, state: TaskState, message: string): Step {
  return { kind: 'run', operation, state, message };
}

function enter(state: TaskState, message: string): Step {
  return { kind: 'enter', state, message };
}
