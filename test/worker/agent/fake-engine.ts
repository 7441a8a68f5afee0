import { SwarmError } from '../../../common/errors.ts';
import type {
  Container,
  ContainerCreateBody,
  ContainerState,
  EngineApi,
  EngineEvent,
  ImageDetail,
  LogLine,
  LogOptions,
  TaskContainerOptions,
} from '../../../worker/engine/types.ts';

export interface FakeImage {
  /** The error of the registry, if it does not give the image. */
  readonly pullError?: SwarmError;
  readonly local?: boolean;
  /** Digest under the tag here, and at the registry. */
  readonly digests?: { readonly local: string; readonly remote: string };
}

type Mutable = { -readonly [K in keyof Container]: Container[K] };

const IDLE: ContainerState = {
  status: 'created',
  pid: 0,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: 0,
  finishedAt: 0,
  health: 'none',
};

/** Containers in memory that run until they are told to end. Implements what the agent uses. */
export class FakeEngine {
  readonly containers = new Map<string, Mutable>();
  readonly created: { body: ContainerCreateBody; task: TaskContainerOptions; name: string }[] = [];
  readonly calls: string[] = [];
  readonly pulls: string[] = [];
  images: Record<string, FakeImage> = {};
  startError: Error | undefined;
  readonly #logs = new Map<string, LogLine[]>();
  readonly #logged = new Set<() => void>();
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #waiters = new Set<() => void>();
  #next = 1;

  api(): EngineApi {
    const partial: Partial<EngineApi> = {
      images: this.#images(),
      create: async (body, options) => this.#create(body, options),
      startContainer: async (id) => this.#start(id),
      stopContainer: async (id, options) => this.#stop(id, options?.timeout),
      remove: async (id) => this.#remove(id),
      wait: (id, _condition, signal) => this.#wait(id, signal),
      logs: (id, options) => this.#readLogs(id, options),
      list: () => [...this.containers.values()],
      get: (id) => this.#get(id),
      onEvent: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    return partial as EngineApi;
  }

  ofTask(taskId: string): Container | undefined {
    return [...this.containers.values()].find((container) => container.taskId === taskId);
  }

  exit(taskId: string, exitCode: number): void {
    this.#set(this.#of(taskId), { status: 'exited', exitCode, pid: 0 });
  }

  health(taskId: string, health: ContainerState['health']): void {
    const container = this.#of(taskId);
    this.#set(container, { health });
    this.#emit(container, `health_status: ${health}`);
  }

  print(taskId: string, text: string, stream: LogLine['stream'] = 'stdout'): void {
    const lines = this.#logs.get(taskId) ?? [];
    this.#logs.set(taskId, lines);
    const second = `${lines.length}`.padStart(2, '0');
    lines.push({
      stream,
      time: `2026-01-01T00:00:${second}.123456789Z`,
      data: Buffer.from(`${text}\n`),
    });
    for (const wake of [...this.#logged]) wake();
  }

  async *#readLogs(id: string, options: LogOptions): AsyncGenerator<LogLine> {
    const { taskId } = this.#get(id);
    const wanted = ({ stream, time }: LogLine) =>
      (stream === 'stdout' ? options.stdout : options.stderr) &&
      (options.since === undefined || Date.parse(time) >= options.since);
    const all = () => this.#logs.get(taskId) ?? [];
    const first = all().filter(wanted);
    yield* options.tail === undefined
      ? first
      : first.slice(first.length - Math.min(first.length, options.tail));
    for (let seen = all().length; options.follow && !options.signal?.aborted; ) {
      const fresh = all().slice(seen);
      seen = all().length;
      yield* fresh.filter(wanted);
      if (fresh.length === 0) await this.#nextLine(options.signal);
    }
  }

  #nextLine(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#logged.delete(wake);
        resolve();
      };
      this.#logged.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  #images(): EngineApi['images'] {
    const inspect = async (reference: string) => {
      const image = this.images[reference];
      if (!image?.local) throw new SwarmError('SWM_NOT_FOUND', `No such image: ${reference}`);
      const digest = image.digests?.local ?? 'sha256:a';
      return { id: 'sha256:i', repoDigests: [`${reference}@${digest}`] } as unknown as ImageDetail;
    };
    const partial: Partial<EngineApi['images']> = {
      inspect,
      pull: async (reference) => {
        this.pulls.push(reference);
        const image = this.images[reference] ?? {};
        if (image.pullError) throw image.pullError;
        this.images[reference] = { ...image, local: true };
        return inspect(reference);
      },
      distribution: async (reference) => {
        const image = this.images[reference] ?? {};
        if (image.pullError) throw image.pullError;
        const digest = image.digests?.remote ?? 'sha256:a';
        return { mediaType: '', digest, size: 0, platforms: [] };
      },
    };
    return partial as EngineApi['images'];
  }

  #create(
    body: ContainerCreateBody,
    options: { name?: string; task?: TaskContainerOptions },
  ): { id: string; warnings: string[] } {
    const { name = '', task } = options;
    if (!task) throw new Error('the agent creates containers of tasks alone');
    this.created.push({ body, task, name });
    const id = `${this.#next++}`.padStart(64, '0');
    const health = body.Healthcheck?.Test?.length ? 'starting' : 'none';
    this.containers.set(id, {
      id,
      name,
      createdAt: 0,
      config: body,
      hostConfig: body.HostConfig ?? {},
      imageId: '',
      state: { ...IDLE, health },
      restartCount: 0,
      endpoints: [],
      ports: [],
      taskId: task.taskId,
    });
    this.#emit(this.#get(id), 'create');
    return { id, warnings: [] };
  }

  #start(id: string): boolean {
    if (this.startError) throw this.startError;
    const container = this.#get(id);
    if (container.state.status === 'running') return false;
    this.#set(container, { status: 'running', pid: 4000 + Number(id), startedAt: 1 });
    return true;
  }

  #stop(id: string, timeout: number | undefined): boolean {
    this.calls.push(`stop ${this.#get(id).taskId} ${timeout}`);
    if (this.#get(id).state.status !== 'running') return false;
    this.#set(this.#get(id), { status: 'exited', exitCode: 143, pid: 0 });
    return true;
  }

  #remove(id: string): void {
    this.calls.push(`remove ${this.#get(id).taskId}`);
    this.containers.delete(id);
    for (const wake of this.#waiters) wake();
  }

  #wait(id: string, signal?: AbortSignal): Promise<{ exitCode: number }> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const state = this.containers.get(id)?.state;
        if (!state) return finish(() => reject(new Error(`No such container: ${id}`)));
        if (state.status !== 'running') finish(() => resolve({ exitCode: state.exitCode }));
      };
      const abort = () => finish(() => reject(signal?.reason));
      const finish = (settle: () => void) => {
        this.#waiters.delete(look);
        signal?.removeEventListener('abort', abort);
        settle();
      };
      this.#waiters.add(look);
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
      else look();
    });
  }

  #get(id: string): Mutable {
    const container = this.containers.get(id);
    if (!container) throw new SwarmError('SWM_NOT_FOUND', `No such container: ${id}`);
    return container;
  }

  #of(taskId: string): Mutable {
    return this.#get(this.ofTask(taskId)?.id ?? taskId);
  }

  #set(container: Mutable, state: Partial<ContainerState>): void {
    container.state = { ...container.state, ...state };
    for (const wake of [...this.#waiters]) wake();
  }

  #emit(container: Container, action: string): void {
    const event: EngineEvent = {
      type: 'container',
      action,
      id: container.id,
      attributes: {},
      timeMs: 0,
    };
    for (const listener of [...this.#listeners]) listener(event);
  }
}
