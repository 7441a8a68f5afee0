import { durationMs } from '../../../common/duration.ts';
import { errorMessage, isSwarmError, SwarmError } from '../../../common/errors.ts';
import { newHexId } from '../../../common/ids.ts';
import type { Logger } from '../../../common/logger.ts';
import type { Random } from '../../../common/random.ts';
import type { NetDriverApi } from '../../../netdriver/index.ts';
import type { Task } from '../../../proto/gen/swarm/objects.ts';
import type { ContainerSpec } from '../../../proto/gen/swarm/specs.ts';
import type { ContainerStatus, PortStatus } from '../../../proto/gen/swarm/types.ts';
import type { Container, EngineApi } from '../../engine/types.ts';
import { type Controller, TaskExitError, TemporaryError } from '../controller.ts';
import { createBody } from './create-body.ts';
import { taskEndpoints } from './endpoints.ts';
import { type Dependencies, injectedFiles } from './files.ts';
import { healthOf, UnhealthyError, watchHealth } from './health.ts';
import type { ImagePuller } from './image-puller.ts';
import { portStatus } from './port-status.ts';
import { type TaskNode, taskName, templateScope } from './task-context.ts';

export interface ContainerControllerComponents {
  readonly engine: EngineApi;
  readonly netdriver: Pick<NetDriverApi, 'enableService' | 'disableService'>;
  readonly puller: ImagePuller;
  readonly dependencies: Dependencies;
  readonly random: Random;
  readonly logger: Logger;
  readonly node: () => TaskNode;
}

const DEFAULT_GRACE_MS = 10_000;

/** A task that is a container. It is found again by its task id, so a new daemon takes it over. */
export class ContainerController implements Controller {
  readonly #components: ContainerControllerComponents;
  readonly #task: Task;
  readonly #spec: ContainerSpec;
  #containerId = '';

  constructor(
    components: ContainerControllerComponents,
    init: { task: Task; spec: ContainerSpec },
  ) {
    this.#components = components;
    this.#task = init.task;
    this.#spec = init.spec;
  }

  async prepare(signal: AbortSignal): Promise<void> {
    if (this.#find()) return;
    const { engine, puller, dependencies, random, node } = this.#components;
    const scope = templateScope(this.#task, node());
    // Made before the pull, so that a mistake in the spec shows without waiting for it.
    const body = createBody(this.#task, this.#spec, node());
    const files = injectedFiles(this.#spec, dependencies, scope);
    const auth = this.#spec.pullOptions?.registryAuth ?? '';
    await puller.ensure(this.#spec.image, auth, signal);
    const endpoints = taskEndpoints(this.#task, () => newHexId(random));
    await retryable(
      engine.create(body, {
        name: taskName(this.#task),
        task: { taskId: this.#task.id, endpoints, files },
      }),
    );
  }

  async start(signal: AbortSignal): Promise<void> {
    const { engine, netdriver } = this.#components;
    const container = this.#require();
    // One that ran and ended is left to `wait`, which tells how.
    if (container.state.status === 'created') await retryable(engine.startContainer(container.id));
    if (healthOf(engine, container.id) !== 'none') await this.#untilHealthy(container.id, signal);
    if (this.#find()?.state.status === 'running') await netdriver.enableService(container.id);
  }

  async wait(signal: AbortSignal): Promise<void> {
    const { engine } = this.#components;
    const container = this.#require();
    const done = new AbortController();
    const ended = AbortSignal.any([done.signal, signal]);
    try {
      const { exitCode, error } = await Promise.race([
        engine.wait(container.id, 'not-running', ended),
        watchHealth(engine, container.id, 'unhealthy', ended).then(() => {
          throw new UnhealthyError();
        }),
      ]);
      if (exitCode !== 0) throw new TaskExitError(exitCode, error);
    } catch (error) {
      if (error instanceof UnhealthyError) await this.#stop(container, signal);
      throw error;
    } finally {
      done.abort(new Error('the container has ended'));
    }
  }

  async shutdown(signal: AbortSignal): Promise<void> {
    const container = this.#find();
    if (container) await this.#stop(container, signal);
  }

  async remove(): Promise<void> {
    const container = this.#find();
    if (!container) return;
    await this.#stop(container, new AbortController().signal);
    try {
      await this.#components.engine.remove(container.id, { force: true, volumes: true });
    } catch (error) {
      if (!isSwarmError(error, 'SWM_NOT_FOUND')) throw error;
    }
  }

  status(): { container: ContainerStatus; ports: PortStatus | undefined } | undefined {
    const container = this.#find();
    if (!container) return undefined;
    const { pid, exitCode, status } = container.state;
    return {
      container: { containerId: container.id, pid, exitCode: status === 'running' ? 0 : exitCode },
      ports: portStatus(this.#task, container),
    };
  }

  async #untilHealthy(id: string, signal: AbortSignal): Promise<void> {
    const { engine } = this.#components;
    const done = new AbortController();
    const ended = AbortSignal.any([done.signal, signal]);
    try {
      const health = await Promise.race([
        watchHealth(engine, id, 'healthy', ended),
        watchHealth(engine, id, 'unhealthy', ended),
        engine.wait(id, 'not-running', ended).then(() => 'ended' as const),
      ]);
      if (health !== 'unhealthy') return;
    } finally {
      done.abort(new Error('the health of the container is known'));
    }
    await this.#stop(this.#require(), signal);
    throw new UnhealthyError();
  }

  /** Takes the container out of its services first, so that no request meets its end. */
  async #stop(container: Container, signal: AbortSignal): Promise<void> {
    const { engine, netdriver, logger } = this.#components;
    if (!isAlive(container)) return;
    try {
      await netdriver.disableService(container.id);
    } catch (error) {
      logger.warn({ taskId: this.#task.id, err: errorMessage(error) }, 'service not drained');
    }
    signal.throwIfAborted();
    const grace = durationMs(this.#spec.stopGracePeriod, DEFAULT_GRACE_MS);
    try {
      await engine.stopContainer(container.id, { timeout: Math.ceil(grace / 1000) });
    } catch (error) {
      if (!isSwarmError(error, 'SWM_NOT_FOUND')) throw temporary(error);
    }
  }

  #find(): Container | undefined {
    const { engine } = this.#components;
    if (this.#containerId) {
      try {
        return engine.get(this.#containerId);
      } catch {
        this.#containerId = '';
      }
    }
    const found = engine.list().find(({ taskId }) => taskId === this.#task.id);
    this.#containerId = found?.id ?? '';
    return found;
  }

  #require(): Container {
    const container = this.#find();
    if (container) return container;
    throw new SwarmError('SWM_NOT_FOUND', `the container of task ${this.#task.id} is gone`);
  }
}

function isAlive({ state }: Container): boolean {
  return state.status === 'running' || state.status === 'paused' || state.status === 'restarting';
}

async function retryable<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw temporary(error);
  }
}

/** A runtime that is not there just now is no fault of the task. */
function temporary(error: unknown): unknown {
  if (!isSwarmError(error, 'SWM_UNAVAILABLE', 'SWM_TIMEOUT')) return error;
  return new TemporaryError(errorMessage(error), { cause: error });
}
