import { type Clock, sleep } from '../../common/clock.ts';
import { deadline, within } from '../../common/deadline.ts';
import { errorMessage, isSwarmError, SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import type { SwarmAttacher } from '../engine/types.ts';
import type { ManagerConnection } from './connection.ts';
import { attachmentEndpoint } from './container/endpoints.ts';

export interface AttacherComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The connection of the session, waited for while there is none. */
  readonly connection: (signal: AbortSignal) => Promise<ManagerConnection>;
  readonly tasks: () => readonly Task[];
  readonly onTask: (listener: (task: Task) => void) => () => void;
}

type AttachRequest = Parameters<SwarmAttacher['attach']>[0];
type Attached = Awaited<ReturnType<SwarmAttacher['attach']>>;

const TIMEOUT_MS = 20_000;

/** Gets addresses on swarm networks for containers that are no tasks. */
export class Attacher implements SwarmAttacher {
  readonly #components: AttacherComponents;

  constructor(components: AttacherComponents) {
    this.#components = components;
  }

  /**
   * Asks for an attachment and waits until it is assigned to this node with its addresses. Throws
   * what the manager says, with `Could not attach to network X: ` before it, or SWM_TIMEOUT.
   */
  async attach(request: AttachRequest, signal?: AbortSignal): Promise<Attached> {
    const limit = deadline(this.#components.clock, TIMEOUT_MS, signal);
    const ended = limit.signal;
    let attachmentId = '';
    try {
      const connection = await this.#components.connection(ended);
      const { containerId, network: target, aliases, addresses } = request;
      const config = { target, aliases, addresses };
      ({ attachmentId } = await connection.attachNetwork({ containerId, config }, ended));
      const task = await this.#assigned(attachmentId, ended);
      return { attachmentId, endpoint: endpointOf(task, request) };
    } catch (error) {
      if (attachmentId) this.#release(attachmentId);
      if (limit.isOver) throw timeoutError();
      throw ended.aborted ? ended.reason : attachError(request.network, error);
    } finally {
      limit.cancel();
    }
  }

  async detach(attachmentId: string): Promise<void> {
    const { clock } = this.#components;
    try {
      await within(clock, { ms: TIMEOUT_MS, late: timeoutError }, async (limit) => {
        const connection = await this.#components.connection(limit);
        await connection.detachNetwork({ attachmentId }, limit);
      });
    } catch (error) {
      // Gone is what was wanted.
      if (!isSwarmError(error, 'SWM_NOT_FOUND')) throw error;
    }
  }

  #assigned(taskId: string, signal: AbortSignal): Promise<Task> {
    const { tasks, onTask } = this.#components;
    return new Promise((resolve, reject) => {
      const look = (task: Task) => {
        if (task.id !== taskId || task.networks.length === 0) return;
        finish(() => resolve(task));
      };
      const onAbort = () => finish(() => reject(signal.reason));
      const finish = (settle: () => void) => {
        unsubscribe();
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const unsubscribe = onTask(look);
      signal.addEventListener('abort', onAbort, { once: true });
      for (const task of tasks()) look(task);
      if (signal.aborted) onAbort();
    });
  }

  /** The caller has been told already: the manager hears of it as soon as it can. */
  #release(attachmentId: string, attempt = 0): void {
    const { clock, logger } = this.#components;
    this.detach(attachmentId).catch(async (error) => {
      logger.warn({ attachmentId, err: errorMessage(error) }, 'attachment not released');
      if (attempt >= 5) return;
      await sleep(clock, TIMEOUT_MS);
      this.#release(attachmentId, attempt + 1);
    });
  }
}

function endpointOf(task: Task, request: AttachRequest): Attached['endpoint'] {
  const [attachment] = task.networks;
  if (!attachment) throw new TypeError('an assigned attachment has a network');
  return { ...attachmentEndpoint(attachment), aliases: request.aliases, taskId: task.id };
}

function timeoutError(): SwarmError {
  return new SwarmError(
    'SWM_TIMEOUT',
    'attaching to network failed, make sure your network options are correct and check manager ' +
      'logs: context deadline exceeded',
  );
}

function attachError(network: string, error: unknown): unknown {
  if (!isSwarmError(error, 'SWM_PERMISSION_DENIED')) return error;
  return new SwarmError(
    'SWM_PERMISSION_DENIED',
    `Could not attach to network ${network}: rpc error: code = PermissionDenied ` +
      `desc = ${error.message}`,
    { cause: error },
  );
}
