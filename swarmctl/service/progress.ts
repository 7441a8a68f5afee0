import { setTimeout as delay } from 'node:timers/promises';
import { CliError } from '../cli-error.ts';
import { filtersQuery } from '../client.ts';
import type { NodeObject, ServiceObject, TaskObject } from '../commands/api-types.ts';
import { type Context, print } from '../context.ts';

const POLL_MS = 200;
const DEFAULT_MONITOR_NS = 5e9;
const ENDED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);
const ROLLING_BACK = new Set(['rollback_started', 'rollback_paused', 'rollback_completed']);

/** What is to be waited for: how many tasks run, and how many should. */
interface Count {
  readonly done: number;
  readonly wanted: number;
}

/**
 * Follows a service until it has what its spec asks for and kept it for the monitoring time.
 * Throws when its update is paused.
 */
export async function waitUntilConverged(context: Context, serviceId: string): Promise<void> {
  const progress = new Progress(context);
  let convergedAt: number | undefined;
  for (;;) {
    const service = await context.api.get<ServiceObject>(`/services/${serviceId}`);
    const tasks = await upToDateTasks(context, serviceId);
    throwIfPaused(service);
    if (isJob(service)) {
      if (followJob(progress, service, tasks)) return;
    } else {
      const count = await countRunning(context, service, tasks);
      progress.overall(rollbackPrefix(service), count, waitingReason(tasks));
      if (count === undefined || count.done !== count.wanted) {
        if (convergedAt !== undefined) progress.say('verify: Detected task failure');
        convergedAt = undefined;
      } else {
        convergedAt ??= Date.now();
        const left =
          convergedAt +
          (service.Spec.UpdateConfig?.Monitor ?? DEFAULT_MONITOR_NS) / 1e6 -
          Date.now();
        if (left <= 0 || service.UpdateStatus?.State === 'rollback_completed') break;
        const seconds = Math.ceil(left / 1000);
        progress.say(`verify: Waiting ${seconds} seconds to verify that tasks are stable...`);
      }
    }
    await delay(POLL_MS);
  }
  progress.say(`verify: Service ${serviceId} converged`);
  progress.end();
}

function upToDateTasks(context: Context, serviceId: string): Promise<TaskObject[]> {
  const query = filtersQuery([`service=${serviceId}`, '_up-to-date=true']);
  return context.api.get<TaskObject[]>('/tasks', query);
}

/** Undefined while a global service has no tasks yet. */
async function countRunning(
  context: Context,
  service: ServiceObject,
  tasks: readonly TaskObject[],
): Promise<Count | undefined> {
  const nodes = await context.api.get<NodeObject[]>('/nodes');
  const up = new Set(nodes.filter((node) => node.Status.State !== 'down').map((node) => node.ID));
  const active = tasks.filter((task) => !ENDED.has(task.DesiredState));
  const running = active.filter(
    (task) => task.Status.State === 'running' && task.NodeID && up.has(task.NodeID),
  );
  const replicas = service.Spec.Mode?.Replicated?.Replicas;
  if (!service.Spec.Mode?.Global) return { done: running.length, wanted: replicas ?? 1 };
  const placed = active.filter((task) => task.NodeID && up.has(task.NodeID));
  return placed.length === 0 ? undefined : { done: running.length, wanted: placed.length };
}

/** Why something is not there yet: the newest complaint of a task that waits. */
function waitingReason(tasks: readonly TaskObject[]): string {
  const waiting = tasks.filter((task) => !ENDED.has(task.DesiredState) && task.Status.Err);
  return waiting.at(-1)?.Status.Err ?? '';
}

function throwIfPaused({ UpdateStatus }: ServiceObject): void {
  if (UpdateStatus?.State === 'paused') {
    throw new CliError(`service update paused: ${UpdateStatus.Message}`);
  }
  if (UpdateStatus?.State === 'rollback_paused') {
    throw new CliError(`service rollback paused: ${UpdateStatus.Message}`);
  }
}

function rollbackPrefix({ UpdateStatus }: ServiceObject): string {
  return ROLLING_BACK.has(UpdateStatus?.State ?? '') ? 'rolling back update: ' : '';
}

function isJob({ Spec }: ServiceObject): boolean {
  return Boolean(Spec.Mode?.ReplicatedJob ?? Spec.Mode?.GlobalJob);
}

function followJob(
  progress: Progress,
  service: ServiceObject,
  tasks: readonly TaskObject[],
): boolean {
  const current = tasks.filter(
    (task) => task.JobIteration?.Index === service.JobStatus?.JobIteration.Index,
  );
  const done = current.filter((task) => task.Status.State === 'complete').length;
  const wanted = service.Spec.Mode?.ReplicatedJob?.TotalCompletions ?? current.length;
  progress.say(`job progress: ${done} out of ${wanted} complete`);
  if (wanted === 0 || done < wanted) return false;
  progress.say('job complete');
  progress.end();
  return true;
}

/** On a terminal one line that is rewritten; elsewhere a line whenever the text changes. */
class Progress {
  readonly #context: Context;
  #last = '';

  constructor(context: Context) {
    this.#context = context;
  }

  overall(prefix: string, count: Count | undefined, reason: string): void {
    const text = count
      ? `overall progress: ${prefix}${count.done} out of ${count.wanted} tasks`
      : 'overall progress: waiting for new tasks';
    if (count && count.done === count.wanted) this.#show(text, true);
    else this.#show(reason ? `${text} (${reason})` : text, true);
  }

  say(text: string): void {
    this.#show(text, false);
  }

  end(): void {
    if (this.#context.isTerminal) this.#context.out.write('\n');
  }

  /** `overall` texts repeat with each poll: they are shown only when they changed. */
  #show(text: string, overall: boolean): void {
    if (
      text === this.#last ||
      (overall && this.#last.startsWith('verify: W') && text === this.#overall)
    ) {
      return;
    }
    if (overall) this.#overall = text;
    this.#last = text;
    if (this.#context.isTerminal) this.#context.out.write(`\r\x1b[K${text}`);
    else print(this.#context, text);
  }

  #overall = '';
}
