import type { SwarmError } from '../../common/errors.ts';
import { Trigger } from '../../common/trigger.ts';

/** One registration of a node: what has changed for it since it was last told. */
export class Session {
  readonly nodeId: string;
  readonly id: string;
  readonly contentChanged = new Trigger();
  readonly assignmentsChanged = new Trigger();
  /** Tasks of the node that changed since the assignments were last computed. */
  readonly dirtyTasks = new Set<string>();
  readonly #end = new AbortController();
  #assignments: AbortController | undefined;

  constructor(nodeId: string, id: string) {
    this.nodeId = nodeId;
    this.id = id;
  }

  /** Aborted with the reason once the session is over. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** A session has one stream of assignments: a new one ends the one before. */
  openAssignments(): AbortSignal {
    this.#assignments?.abort(new Error('the assignments were asked for again'));
    this.#assignments = new AbortController();
    this.dirtyTasks.clear();
    return AbortSignal.any([this.#end.signal, this.#assignments.signal]);
  }

  noteTask(taskId: string): void {
    if (!this.#assignments) return;
    this.dirtyTasks.add(taskId);
    this.assignmentsChanged.fire();
  }

  end(reason: SwarmError): void {
    this.#end.abort(reason);
  }
}
