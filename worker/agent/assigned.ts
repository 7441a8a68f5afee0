import {
  AssignmentChange_AssignmentAction as Action,
  type AssignmentChange,
  type AssignmentsMessage,
  AssignmentsMessage_Type as Type,
} from '../../proto/gen/swarm/dispatcher.ts';
import type { Config, Secret, Task } from '../../proto/gen/swarm/objects.ts';
import type { Dependencies } from './container/files.ts';

/** What a message asks of the node's tasks. */
export interface TaskOrders {
  readonly run: readonly Task[];
  readonly remove: readonly string[];
  /** `run` is all there is: whatever else is here must go. */
  readonly complete: boolean;
}

/** The secrets and configs of this node, in memory only, and the order of the messages. */
export class Assigned implements Dependencies {
  readonly secrets = new Map<string, Secret>();
  readonly configs = new Map<string, Config>();
  complete = false;
  #sequence = '';

  /**
   * Takes in a message and returns what is left to do for the tasks. Throws when a message before
   * this one is missing, whereupon the stream must be opened again.
   */
  take(message: AssignmentsMessage): TaskOrders {
    const complete = message.type === Type.COMPLETE;
    if (!complete && message.appliesTo !== this.#sequence) {
      const { appliesTo } = message;
      throw new Error(`assignments are at "${this.#sequence}", the next apply to "${appliesTo}"`);
    }
    this.#sequence = message.resultsIn;
    if (complete) {
      this.secrets.clear();
      this.configs.clear();
      this.complete = true;
    }
    const run: Task[] = [];
    const remove: string[] = [];
    for (const change of message.changes) {
      const task = this.#takeChange(change);
      if (task && change.action === Action.REMOVE) remove.push(task.id);
      else if (task) run.push(task);
    }
    return { run, remove, complete };
  }

  #takeChange({ assignment, action }: AssignmentChange): Task | undefined {
    const item = assignment?.item;
    const remove = action === Action.REMOVE;
    switch (item?.$case) {
      case 'task':
        return item.task;
      case 'secret':
        if (remove) this.secrets.delete(item.secret.id);
        else this.secrets.set(item.secret.id, item.secret);
        return undefined;
      case 'config':
        if (remove) this.configs.delete(item.config.id);
        else this.configs.set(item.config.id, item.config);
        return undefined;
      default:
        return undefined;
    }
  }
}
