import { type Clock, sleep } from '../../common/clock.ts';
import { type Process, Status } from '../../proto/gen/containerd/process.ts';
import { Options } from '../../proto/gen/containerd/runc_options.ts';
import {
  CreateTaskRequest,
  ExecProcessRequest,
  KillRequest,
} from '../../proto/gen/containerd/tasks.ts';
import type { Mount } from '../../proto/gen/containerd/types.ts';
import type { ContainerdClient } from './containerd/client.ts';
import { ignoreNotFound, isNotFound, isUnavailable } from './containerd/errors.ts';
import { labelFilter } from './containerd/filter.ts';
import type { FifoPaths } from './io/process-io.ts';
import type { OciProcess, OciResources, OciSpec } from './oci/types.ts';

const RUNTIME = 'io.containerd.runc.v2';
const SPEC_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';
const PROCESS_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/Process';
const RESOURCES_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources';
const RUNC_OPTIONS_TYPE = 'containerd.runc.v1.Options';
const RETRY_MS = 200;

export interface ProcessExit {
  readonly exitCode: number;
  readonly exitedAt: number; // milliseconds since the epoch
}

export interface TaskInfo {
  readonly containerId: string;
  readonly pid: number;
  readonly status: 'created' | 'running' | 'paused' | 'stopped';
}

export interface TasksComponents {
  readonly client: ContainerdClient;
  readonly clock: Clock;
}

/** containerd's tasks: the running side of containers, one at a time for each. */
export class Tasks {
  readonly #client: ContainerdClient;
  readonly #clock: Clock;
  readonly #runcRoot: string;
  readonly #snapshotter: string;

  constructor(components: TasksComponents, init: { runcRoot: string; snapshotter: string }) {
    this.#client = components.client;
    this.#clock = components.clock;
    this.#runcRoot = init.runcRoot;
    this.#snapshotter = init.snapshotter;
  }

  async list(): Promise<TaskInfo[]> {
    const { tasks } = this.#client;
    const response = await this.#client.call(tasks, tasks.list, { filter: '' });
    // The list names a task's container in `id`.
    return response.tasks.map((process) => ({
      containerId: process.containerId || process.id,
      pid: process.pid,
      status: statusOf(process),
    }));
  }

  /** Records the container that a task is made from; replaces the record of an earlier start. */
  async define(id: string, spec: OciSpec, labels: Record<string, string>): Promise<void> {
    const { containers } = this.#client;
    const options = Options.fromPartial({ root: this.#runcRoot });
    const container = {
      id,
      labels,
      image: '',
      runtime: {
        name: RUNTIME,
        options: {
          typeUrl: RUNC_OPTIONS_TYPE,
          value: Buffer.from(Options.encode(options).finish()),
        },
      },
      spec: { typeUrl: SPEC_TYPE, value: Buffer.from(JSON.stringify(spec)) },
      snapshotter: this.#snapshotter,
      snapshotKey: id,
    };
    const updateMask = ['spec', 'labels'];
    try {
      await this.#client.call(containers, containers.update, { container, updateMask });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#client.call(containers, containers.create, { container });
    }
  }

  /** The containers that were defined with all of `labels`. */
  async defined(
    labels: Readonly<Record<string, string>>,
  ): Promise<{ id: string; spec: OciSpec }[]> {
    const { containers } = this.#client;
    const request = { filters: [labelFilter(labels)] };
    const response = await this.#client.call(containers, containers.list, request);
    return response.containers.flatMap(({ id, spec }) =>
      spec ? [{ id, spec: JSON.parse(Buffer.from(spec.value).toString('utf8')) as OciSpec }] : [],
    );
  }

  async undefine(id: string): Promise<void> {
    const { containers } = this.#client;
    await ignoreNotFound(this.#client.call(containers, containers.delete, { id }));
  }

  /** Makes the process, which waits for `start`. Resolves with its pid. */
  async create(
    id: string,
    init: { rootfs: readonly Mount[]; fifos: FifoPaths; terminal: boolean },
  ): Promise<number> {
    const { tasks } = this.#client;
    const { fifos, terminal } = init;
    const request = CreateTaskRequest.fromPartial({
      containerId: id,
      rootfs: [...init.rootfs],
      ...fifos,
      terminal,
    });
    const { pid } = await this.#client.call(tasks, tasks.create, request);
    return pid;
  }

  async start(id: string, execId = ''): Promise<number> {
    const { tasks } = this.#client;
    const { pid } = await this.#client.call(tasks, tasks.start, { containerId: id, execId });
    return pid;
  }

  /** Prepares a further process in a running container. */
  async exec(
    id: string,
    execId: string,
    init: { process: OciProcess; fifos: FifoPaths; terminal: boolean },
  ): Promise<void> {
    const { tasks } = this.#client;
    const request = ExecProcessRequest.fromPartial({
      containerId: id,
      execId,
      ...init.fifos,
      terminal: init.terminal,
      spec: { typeUrl: PROCESS_TYPE, value: Buffer.from(JSON.stringify(init.process)) },
    });
    await this.#client.call(tasks, tasks.exec, request);
  }

  /**
   * Resolves when the process has ended, also when it had before. A lost connection is waited out;
   * a process that containerd does not know rejects with NOT_FOUND.
   */
  async wait(id: string, execId = '', signal?: AbortSignal): Promise<ProcessExit> {
    const { tasks } = this.#client;
    for (;;) {
      try {
        const request = { containerId: id, execId };
        const init = signal ? { signal } : {};
        const exit = await this.#client.call(tasks, tasks.wait, request, init);
        return { exitCode: exit.exitStatus, exitedAt: timeOf(exit.exitedAt, this.#clock) };
      } catch (error) {
        if (signal?.aborted || !isUnavailable(error)) throw error;
        await sleep(this.#clock, RETRY_MS, signal);
      }
    }
  }

  /** Removes an ended process; its output has all been written when this resolves. */
  async delete(id: string, execId = ''): Promise<ProcessExit | undefined> {
    const { tasks } = this.#client;
    try {
      const exit = execId
        ? await this.#client.call(tasks, tasks.deleteProcess, { containerId: id, execId })
        : await this.#client.call(tasks, tasks.delete, { containerId: id });
      return { exitCode: exit.exitStatus, exitedAt: timeOf(exit.exitedAt, this.#clock) };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async kill(
    id: string,
    signal: number,
    init: { all?: boolean; execId?: string } = {},
  ): Promise<void> {
    const { tasks } = this.#client;
    const request = KillRequest.fromPartial({ containerId: id, signal, ...init });
    await this.#client.call(tasks, tasks.kill, request);
  }

  async pause(id: string): Promise<void> {
    const { tasks } = this.#client;
    await this.#client.call(tasks, tasks.pause, { containerId: id });
  }

  async resume(id: string): Promise<void> {
    const { tasks } = this.#client;
    await this.#client.call(tasks, tasks.resume, { containerId: id });
  }

  async resize(id: string, execId: string, size: { width: number; height: number }): Promise<void> {
    const { tasks } = this.#client;
    await this.#client.call(tasks, tasks.resizePty, { containerId: id, execId, ...size });
  }

  /** New limits for a running container. */
  async update(id: string, limits: Omit<OciResources, 'devices'>): Promise<void> {
    const { tasks } = this.#client;
    const value = Buffer.from(JSON.stringify(limits));
    const resources = { typeUrl: RESOURCES_TYPE, value };
    await this.#client.call(tasks, tasks.update, { containerId: id, resources });
  }

  async closeStdin(id: string, execId = ''): Promise<void> {
    const { tasks } = this.#client;
    const request = { containerId: id, execId, stdin: true };
    await ignoreNotFound(this.#client.call(tasks, tasks.closeIo, request));
  }

  /** In the host's numbering. */
  async pids(id: string): Promise<number[]> {
    const { tasks } = this.#client;
    const { processes } = await this.#client.call(tasks, tasks.listPids, { containerId: id });
    return processes.map(({ pid }) => pid);
  }

  /** Kills and removes whatever is there under `id`. */
  async purge(id: string): Promise<void> {
    await this.kill(id, 9, { all: true }).catch(() => {});
    const known = await this.wait(id).then(
      () => true,
      () => false,
    );
    if (known) await this.delete(id);
  }
}

function statusOf(process: Process): TaskInfo['status'] {
  switch (process.status) {
    case Status.CREATED:
      return 'created';
    case Status.PAUSED:
    case Status.PAUSING:
      return 'paused';
    case Status.STOPPED:
      return 'stopped';
    default:
      return 'running';
  }
}

function timeOf(date: Date | undefined, clock: Clock): number {
  const time = date?.getTime() ?? 0;
  return time > 0 ? time : clock.now();
}
