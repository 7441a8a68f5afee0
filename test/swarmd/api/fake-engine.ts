import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { SwarmError } from '../../../common/errors.ts';
import type {
  AttachOptions,
  Container,
  ContainerCreateBody,
  ContainerState,
  EngineApi,
  EngineEvent,
  ExecConfig,
  ExecInspect,
  LogLine,
  LogOptions,
  SwarmAttacher,
} from '../../../worker/index.ts';
import { FakeImages, FakeVolumes } from './fake-images.ts';
import { FakeProcess, run } from './fake-process.ts';

const CREATED: ContainerState = {
  status: 'created',
  pid: 0,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: 0,
  finishedAt: 0,
  health: 'none',
};

interface Running {
  container: Container;
  attached: FakeProcess[];
  log: LogLine[];
  exits: ((code: number) => void)[];
  removals: ((code: number) => void)[];
}

/** An engine without containers: what it runs are the commands of `fake-process.ts`. */
export class FakeEngine implements EngineApi {
  readonly images = new FakeImages();
  readonly volumes = new FakeVolumes();
  readonly #containers = new Map<string, Running>();
  readonly #execs = new Map<string, { config: ExecConfig; inspect: ExecInspect }>();
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly calls: string[] = [];
  /** Open attachments; a test sees here whether a client's leaving came through. */
  openStreams = 0;

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  setSwarmAttacher(_attacher: SwarmAttacher | undefined): void {}

  async create(body: ContainerCreateBody, options: { name?: string }) {
    await this.images.inspect(body.Image);
    const id = randomBytes(32).toString('hex');
    const name = options.name ?? `box_${id.slice(0, 6)}`;
    const taken = this.list().find((other) => other.name === name);
    if (taken) {
      throw new SwarmError(
        'SWM_CONFLICT',
        `Conflict. The container name "/${name}" is already in use by container "${taken.id}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    const container: Container = {
      id,
      name,
      createdAt: Date.now(),
      config: body,
      hostConfig: body.HostConfig ?? {},
      imageId: `sha256:${'1'.repeat(64)}`,
      state: CREATED,
      restartCount: 0,
      endpoints: [],
      ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' }],
      taskId: '',
    };
    this.#containers.set(id, { container, attached: [], log: [], exits: [], removals: [] });
    this.#emit('create', container);
    return { id, warnings: [] };
  }

  async startContainer(ref: string): Promise<boolean> {
    const running = this.#find(ref);
    if (running.container.state.status === 'running') return false;
    this.#setState(running, { status: 'running', pid: 100, startedAt: Date.now() });
    this.#emit('start', running.container);
    this.#run(running);
    return true;
  }

  async stopContainer(ref: string, options?: { timeout?: number; signal?: string }) {
    this.calls.push(`stop ${JSON.stringify(options)}`);
    const running = this.#find(ref);
    if (running.container.state.status !== 'running') return false;
    this.#exit(running, 137);
    return true;
  }

  async restart(ref: string): Promise<void> {
    await this.stopContainer(ref);
    await this.startContainer(ref);
  }

  async kill(ref: string, signal = 'SIGKILL'): Promise<void> {
    this.calls.push(`kill ${signal}`);
    this.#exit(this.#find(ref), 137);
  }

  async pause(ref: string): Promise<void> {
    this.#setState(this.#find(ref), { status: 'paused' });
  }

  async unpause(ref: string): Promise<void> {
    this.#setState(this.#find(ref), { status: 'running' });
  }

  async rename(ref: string, name: string): Promise<void> {
    const running = this.#find(ref);
    running.container = { ...running.container, name };
  }

  async remove(ref: string, options: { force: boolean }): Promise<void> {
    const running = this.#find(ref);
    if (running.container.state.status === 'running') {
      if (!options.force) throw new SwarmError('SWM_CONFLICT', 'container is running');
      this.#exit(running, 137);
    }
    this.#containers.delete(running.container.id);
    for (const removed of running.removals) removed(running.container.state.exitCode);
  }

  async wait(ref: string, condition: string, signal?: AbortSignal) {
    const running = this.#find(ref);
    if (condition === 'not-running' && running.container.state.status !== 'running') {
      return { exitCode: running.container.state.exitCode };
    }
    const listeners = condition === 'removed' ? running.removals : running.exits;
    const exitCode = await new Promise<number>((resolve, reject) => {
      listeners.push(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
    return { exitCode };
  }

  async resize(_ref: string, height: number, width: number): Promise<void> {
    this.calls.push(`resize ${height}x${width}`);
  }

  list(): readonly Container[] {
    return [...this.#containers.values()].map(({ container }) => container);
  }

  get(ref: string): Container {
    return this.#find(ref).container;
  }

  async inspect(ref: string): Promise<Record<string, unknown>> {
    const { id, name, state, config, hostConfig } = this.get(ref);
    return {
      Id: id,
      Name: `/${name}`,
      Created: new Date(0).toISOString(),
      State: {
        Status: state.status,
        Running: state.status === 'running',
        ExitCode: state.exitCode,
      },
      Config: config,
      HostConfig: hostConfig,
      NetworkSettings: { Ports: {}, Networks: {} },
    };
  }

  async top() {
    return { Titles: ['UID', 'PID', 'CMD'], Processes: [['root', '1', 'sleep']] };
  }

  async stats() {
    return { read: new Date(1_000).toISOString(), cpu_stats: { cpu_usage: { total_usage: 7 } } };
  }

  async *logs(ref: string, options: LogOptions): AsyncIterable<LogLine> {
    const { log } = this.#find(ref);
    const chosen = log.filter(({ stream }) => options[stream]);
    yield* options.tail === undefined ? chosen : chosen.slice(-options.tail);
    if (options.follow) {
      await new Promise((resolve) => options.signal?.addEventListener('abort', resolve));
      this.calls.push('log follower left');
    }
  }

  async attach(ref: string, _options: AttachOptions): Promise<Duplex> {
    const running = this.#find(ref);
    const process = new FakeProcess(running.container.config.Tty ?? false);
    this.openStreams++;
    process.on('close', () => this.openStreams--);
    running.attached.push(process);
    return process;
  }

  async execCreate(ref: string, config: ExecConfig): Promise<string> {
    const { id } = this.get(ref);
    const execId = randomBytes(32).toString('hex');
    const [entrypoint = '', ...args] = config.Cmd;
    const inspect: ExecInspect = {
      ID: execId,
      Running: false,
      ExitCode: null,
      ProcessConfig: {
        tty: config.Tty ?? false,
        entrypoint,
        arguments: args,
        user: config.User ?? '',
        privileged: false,
      },
      OpenStdin: false,
      OpenStdout: true,
      OpenStderr: true,
      CanRemove: false,
      ContainerID: id,
      DetachKeys: '',
      Pid: 0,
    };
    this.#execs.set(execId, { config, inspect });
    return execId;
  }

  async execStart(execId: string, options: { detach: boolean }): Promise<Duplex | undefined> {
    const exec = this.#exec(execId);
    if (options.detach) return undefined;
    const process = new FakeProcess(exec.config.Tty ?? false);
    setImmediate(() => {
      run(exec.config.Cmd, [process], (code) => {
        exec.inspect.ExitCode = code;
        process.push(null);
      });
    });
    return process;
  }

  async execResize(): Promise<void> {}

  execInspect(execId: string): ExecInspect {
    return this.#exec(execId).inspect;
  }

  async archiveStat(_ref: string, path: string) {
    if (path === '/nope') throw new SwarmError('SWM_NOT_FOUND', 'Could not find the file /nope');
    return { name: 'f', size: 2, mode: 0o644, mtime: '2026-01-01T00:00:00Z', linkTarget: '' };
  }

  async archiveGet(): Promise<AsyncIterable<Buffer>> {
    return (async function* () {
      yield Buffer.from('tar ');
      yield Buffer.from('bytes');
    })();
  }

  async archivePut(_ref: string, path: string, tar: AsyncIterable<Buffer>): Promise<void> {
    let size = 0;
    for await (const chunk of tar) size += chunk.length;
    this.calls.push(`put ${path} ${size}`);
  }

  async *export(ref: string): AsyncGenerator<Buffer> {
    yield Buffer.from(`all of ${this.get(ref).name}`);
  }

  async changes(_ref: string) {
    return [{ Path: '/etc/motd', Kind: 0 as const }];
  }

  async update(_ref: string, change: object) {
    this.calls.push(`update ${JSON.stringify(change)}`);
    return { warnings: ['not now'] };
  }

  async connectNetwork(network: string, ref: string, settings: object): Promise<void> {
    this.calls.push(`connect ${network} ${ref} ${JSON.stringify(settings)}`);
  }

  async disconnectNetwork(network: string, ref: string, force: boolean): Promise<void> {
    this.calls.push(`disconnect ${network} ${ref} ${force}`);
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes a line appear in a container's log. */
  log(ref: string, stream: 'stdout' | 'stderr', text: string): void {
    const time = '2026-01-02T03:04:05.000000006Z';
    this.#find(ref).log.push({ stream, time, data: Buffer.from(text) });
  }

  /** Makes a running container print to whoever is attached. */
  print(ref: string, text: string): void {
    for (const process of this.#find(ref).attached) process.print(1, text);
  }

  #run(running: Running): void {
    const { config, hostConfig, id } = running.container;
    const outputs = running.attached;
    run([...(config.Entrypoint ?? []), ...(config.Cmd ?? [])], outputs, (code) => {
      this.#exit(running, code);
      if (hostConfig.AutoRemove) this.remove(id, { force: true }).catch(() => {});
    });
  }

  #exit(running: Running, exitCode: number): void {
    this.#setState(running, { status: 'exited', pid: 0, exitCode, finishedAt: Date.now() });
    this.#emit('die', running.container);
    for (const process of running.attached.splice(0)) process.push(null);
    for (const exited of running.exits.splice(0)) exited(exitCode);
  }

  #setState(running: Running, state: Partial<ContainerState>): void {
    running.container = { ...running.container, state: { ...running.container.state, ...state } };
  }

  #emit(action: string, { id, name, config }: Container): void {
    const attributes = { name, image: config.Image };
    const event: EngineEvent = { type: 'container', action, id, attributes, timeMs: Date.now() };
    for (const listener of this.#listeners) listener(event);
  }

  #find(ref: string): Running {
    const all = [...this.#containers.values()];
    const found =
      this.#containers.get(ref) ??
      all.find(({ container }) => container.name === ref) ??
      all.find(({ container }) => container.id.startsWith(ref));
    if (!found) throw new SwarmError('SWM_NOT_FOUND', `No such container: ${ref}`);
    return found;
  }

  #exec(id: string) {
    const exec = this.#execs.get(id);
    if (!exec) throw new SwarmError('SWM_NOT_FOUND', `No such exec instance: ${id}`);
    return exec;
  }
}
