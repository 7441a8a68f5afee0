import { CliError } from '../cli-error.ts';
import { ApiError } from '../client.ts';
import type { NodeObject, ServiceObject, TaskObject } from '../commands/api-types.ts';
import type { Context } from '../context.ts';

const ID_LENGTH = 12;
const SPACE = 0x20;
const LINE_FEED = 0x0a;
const CONTEXT_KEYS = {
  nodeId: 'com.docker.swarm.node.id',
  serviceId: 'com.docker.swarm.service.id',
  taskId: 'com.docker.swarm.task.id',
} as const;

export interface LineFlags {
  details?: boolean;
  /** `false` with --no-resolve. */
  resolve: boolean;
  /** `false` with --no-task-ids. */
  taskIds: boolean;
  timestamps?: boolean;
  /** `false` with --no-trunc. */
  trunc: boolean;
}

/** A line as it comes: [time ]details message. */
export interface LogLine {
  readonly time: string;
  readonly nodeId: string;
  readonly serviceId: string;
  readonly taskId: string;
  /** What the log driver adds. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly message: Buffer;
}

/** Throws CliError when the details do not say whose line it is. */
export function parseLine(data: Buffer, withTime: boolean): LogLine {
  const [time, rest] = withTime ? cutWord(data) : ['', data];
  const [details, message] = cutWord(rest);
  const attributes = new Map(
    details.split(',').map((pair) => {
      const [key = '', value = ''] = pair.split('=');
      return [unescapeQuery(key), unescapeQuery(value)];
    }),
  );
  const take = (name: keyof typeof CONTEXT_KEYS) => {
    const key = CONTEXT_KEYS[name];
    const value = attributes.get(key);
    if (value === undefined) throw new CliError(`missing ${key} in the details of a log line`);
    attributes.delete(key);
    return value;
  };
  const [nodeId, serviceId, taskId] = [take('nodeId'), take('serviceId'), take('taskId')];
  return { time, nodeId, serviceId, taskId, attributes, message };
}

/** `2026-… web.1.4f6a…@worker-1    | message` */
export function formatLine(line: LogLine, prefix: string, flags: LineFlags): Buffer {
  const time = flags.timestamps ? `${line.time} ` : '';
  const attributes = [...line.attributes].map(([key, value]) => `${key}=${value}`).join(',');
  const details = flags.details && attributes ? `${attributes} ` : '';
  const ended = line.message.at(-1) === LINE_FEED;
  const head = Buffer.from(`${time}${prefix}    | ${details}`);
  return Buffer.concat([head, line.message, Buffer.from(ended ? '' : '\n')]);
}

/** What stands before the lines of each task, looked up once. */
export class TaskPrefixes {
  readonly #context: Context;
  readonly #flags: LineFlags;
  readonly #slotWidth: number;
  readonly #known = new Map<string, Promise<string>>();
  readonly #objects = new Map<string, Promise<unknown>>();

  constructor(context: Context, flags: LineFlags, highestSlot: number) {
    this.#context = context;
    this.#flags = flags;
    this.#slotWidth = String(highestSlot).length;
  }

  of(line: LogLine): Promise<string> {
    const known = this.#known.get(line.taskId) ?? this.#make(line);
    this.#known.set(line.taskId, known);
    return known;
  }

  async #make({ nodeId, serviceId, taskId }: LogLine): Promise<string> {
    const { trunc, taskIds, resolve } = this.#flags;
    const [task, service, node] = await Promise.all([
      this.#find<TaskObject>(`/tasks/${taskId}`),
      resolve ? this.#find<ServiceObject>(`/services/${serviceId}`) : undefined,
      resolve ? this.#find<NodeObject>(`/nodes/${nodeId}`) : undefined,
    ]);
    // Tasks of global services have no slot, and those that are gone tell none.
    const slot = task?.Slot ? String(task.Slot) : '';
    const id = trunc ? taskId.slice(0, ID_LENGTH) : taskId;
    const name = [service?.Spec.Name ?? serviceId, slot, taskIds || !slot ? id : ''];
    const host = node?.Spec.Name || node?.Description.Hostname || nodeId;
    const padding = ' '.repeat(Math.max(0, this.#slotWidth - slot.length));
    return `${name.filter(Boolean).join('.')}@${host}${slot && padding}`;
  }

  /** Undefined for what does not exist any more. */
  #find<T>(path: string): Promise<T | undefined> {
    const known = this.#objects.get(path) ?? this.#get(path);
    this.#objects.set(path, known);
    return known as Promise<T | undefined>;
  }

  async #get(path: string): Promise<unknown> {
    try {
      return await this.#context.api.get(path);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }
}

function cutWord(data: Buffer): [string, Buffer] {
  const space = data.indexOf(SPACE);
  if (space < 0) return [data.toString(), Buffer.alloc(0)];
  return [data.toString('utf8', 0, space), data.subarray(space + 1)];
}

/** As in a query string. */
function unescapeQuery(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
