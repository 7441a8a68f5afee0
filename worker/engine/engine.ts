import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type Clock, sleep } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { NetDriverApi } from '../../netdriver/index.ts';
import { Runtime } from '../runtime/runtime.ts';
import { adopt } from './adoption.ts';
import type { PathStat } from './archive-read.ts';
import { Archives } from './archives.ts';
import { attach, containerLogs } from './attach.ts';
import { type Change, containerChanges } from './changes.ts';
import type { ContainerEntry } from './container.ts';
import { Creator } from './creator.ts';
import { EngineDatabase } from './database.ts';
import { EventBus } from './events.ts';
import { Execs } from './execs.ts';
import { ExitHandler } from './exit-handler.ts';
import { HealthChecks } from './health.ts';
import { Images } from './images.ts';
import { InjectedFiles } from './injected-files.ts';
import { inspectContainer } from './inspect.ts';
import { Lifecycle } from './lifecycle.ts';
import { Networking } from './networking.ts';
import { processTable } from './process-table.ts';
import { restartDelay } from './restart-policy.ts';
import { Sandboxes } from './sandboxes.ts';
import { Settings } from './settings.ts';
import { Starter } from './starter.ts';
import { statsSample } from './stats.ts';
import { ContainerTable } from './table.ts';
import type {
  AttachOptions,
  Container,
  ContainerCreateBody,
  EndpointSettings,
  EngineApi,
  EngineEvent,
  ExecConfig,
  ExecInspect,
  HostConfig,
  LogLine,
  LogOptions,
  SwarmAttacher,
} from './types.ts';
import { Volumes } from './volumes.ts';

const ENGINE_LABEL = 'swarm/engine';

export interface EngineComponents {
  readonly netdriver: NetDriverApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface EngineInit {
  /** Kept across reboots: images, containers, volumes. */
  readonly stateDir: string;
  /** Need not survive a reboot, but must survive the daemon: sockets, FIFOs, secrets. */
  readonly runDir: string;
  /** The socket of a running containerd; without it a private one is started. */
  readonly containerdAddress?: string;
  readonly containerdBinary?: string;
  readonly cgroupParent?: string;
  /** Registries without TLS: `host`, `host:port` or a CIDR. Loopback is always one. */
  readonly insecureRegistries?: readonly string[];
}

export class Engine implements EngineApi {
  readonly images: Images;
  readonly volumes: Volumes;
  readonly runtime: Runtime;
  readonly #parts: EngineComponents;
  readonly #dirs: { readonly state: string; readonly containers: string; readonly io: string };
  readonly #labels: Readonly<Record<string, string>>;
  readonly #database: EngineDatabase;
  readonly #events: EventBus;
  readonly #table: ContainerTable;
  readonly #sandboxes: Sandboxes;
  readonly #files: InjectedFiles;
  readonly #starter: Starter;
  readonly #execs: Execs;
  readonly #health: HealthChecks;
  readonly #exits: ExitHandler;
  readonly #lifecycle: Lifecycle;
  readonly #creator: Creator;
  readonly #networking: Networking;
  readonly #archives: Archives;
  readonly #settings: Settings;
  #stopping = false;

  constructor(components: EngineComponents, init: EngineInit) {
    const { netdriver } = components;
    const containersDir = join(init.stateDir, 'containers');
    const ioDir = join(init.runDir, 'io');
    const { cgroupParent = '/swarm' } = init;
    this.#parts = components;
    this.#dirs = { state: init.stateDir, containers: containersDir, io: ioDir };
    this.#labels = { [ENGINE_LABEL]: init.stateDir };

    const runtime = new Runtime(components, init);
    const database = new EngineDatabase({ path: join(init.stateDir, 'engine.db') });
    const events = new EventBus(components);
    const table = new ContainerTable({ database });
    const base = { ...components, runtime, database, events, table };
    const volumes = new Volumes(
      { ...base, users: (name) => volumeUsers(table, name) },
      { dir: join(init.stateDir, 'volumes') },
    );
    const files = new InjectedFiles({ secretsDir: join(init.runDir, 'secrets'), containersDir });
    const sandboxes = new Sandboxes(components, { dir: containersDir });
    const starter = new Starter(
      { ...base, sandboxes, volumes },
      { containersDir, ioDir, cgroupParent, labels: this.#labels },
    );
    const execs = new Execs(base, { ioDir });
    const health = new HealthChecks({ ...base, execs, netdriver });
    const exits = new ExitHandler({ ...base, sandboxes, volumes, health }, { cgroupParent });
    const lifecycle = new Lifecycle(
      { ...base, starter, sandboxes, exits, health, volumes, files },
      { containersDir, ioDir },
    );
    exits.after = lifecycle;

    this.runtime = runtime;
    this.volumes = volumes;
    this.images = new Images({
      ...base,
      containers: () => table.all().map(({ record }) => record),
    });
    this.#database = database;
    this.#events = events;
    this.#table = table;
    this.#sandboxes = sandboxes;
    this.#files = files;
    this.#starter = starter;
    this.#execs = execs;
    this.#health = health;
    this.#exits = exits;
    this.#lifecycle = lifecycle;
    this.#creator = new Creator(
      { ...base, volumes, files },
      { dir: containersDir, cpus: availableParallelism(), labels: this.#labels },
    );
    this.#settings = new Settings(base, { cpus: availableParallelism() });
    this.#archives = new Archives(base, { dir: containersDir });
    this.#networking = new Networking({ ...base, sandboxes });
  }

  async start(): Promise<void> {
    await Promise.all([
      mkdir(this.#dirs.containers, { recursive: true, mode: 0o710 }),
      mkdir(this.#dirs.io, { recursive: true, mode: 0o700 }),
    ]);
    await Promise.all([this.runtime.start(), this.#database.open()]);
    await this.volumes.load();
    const toStart = await adopt(
      {
        ...this.#parts,
        runtime: this.runtime,
        database: this.#database,
        table: this.#table,
        starter: this.#starter,
        exits: this.#exits,
        health: this.#health,
        volumes: this.volumes,
      },
      { containersDir: this.#dirs.containers, ioDir: this.#dirs.io, labels: this.#labels },
    );
    void this.runtime.watchOutOfMemory((id) => this.#outOfMemory(id));
    for (const entry of toStart) void this.#bootStart(entry);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#health.stopAll();
    this.#exits.stop();
    for (const entry of this.#table.all()) {
      entry.cancelRestart();
      entry.run?.io.close();
      await entry.run?.log?.close();
      entry.output.end();
    }
    await this.#files.release();
    await this.runtime.stop();
    await this.#database.close();
  }

  setSwarmAttacher(attacher: SwarmAttacher | undefined): void {
    this.#sandboxes.attacher = attacher;
  }

  create(
    body: ContainerCreateBody,
    options: Parameters<EngineApi['create']>[1] = {},
  ): Promise<{ id: string; warnings: string[] }> {
    return this.#creator.create(body, options);
  }

  async startContainer(ref: string): Promise<boolean> {
    return this.#lifecycle.start(this.#table.get(ref));
  }

  async stopContainer(
    ref: string,
    options: { timeout?: number; signal?: string } = {},
  ): Promise<boolean> {
    return this.#lifecycle.stop(this.#table.get(ref), options);
  }

  async restart(ref: string, options: { timeout?: number; signal?: string } = {}): Promise<void> {
    await this.#lifecycle.restart(this.#table.get(ref), options);
  }

  async kill(ref: string, signal?: string): Promise<void> {
    await this.#lifecycle.kill(this.#table.get(ref), signal);
  }

  async pause(ref: string): Promise<void> {
    await this.#lifecycle.pause(this.#table.get(ref));
  }

  async unpause(ref: string): Promise<void> {
    await this.#lifecycle.unpause(this.#table.get(ref));
  }

  async rename(ref: string, name: string): Promise<void> {
    await this.#settings.rename(this.#table.get(ref), name);
  }

  async remove(ref: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    await this.#lifecycle.remove(this.#table.get(ref), options);
  }

  async wait(
    ref: string,
    condition: 'not-running' | 'next-exit' | 'removed',
    signal?: AbortSignal,
  ): Promise<{ exitCode: number; error?: string }> {
    const entry = this.#table.get(ref);
    if (condition === 'removed') return entry.removal(signal);
    const idle = !entry.active && entry.record.state.status !== 'restarting';
    if (condition === 'not-running' && idle) return entry.lastExit();
    return entry.nextExit(signal);
  }

  async resize(ref: string, height: number, width: number): Promise<void> {
    const entry = this.#table.get(ref);
    mustBeActive(entry);
    await this.runtime.tasks.resize(entry.id, '', { width, height });
  }

  list(): readonly Container[] {
    return this.#table.all().map((entry) => entry.view());
  }

  get(ref: string): Container {
    return this.#table.get(ref).view();
  }

  async inspect(ref: string): Promise<Record<string, unknown>> {
    const entry = this.#table.get(ref);
    return inspectContainer(entry.record, {
      hostname: this.#sandboxes.hostnameOf(entry.record),
      logPath: this.#starter.logPath(entry.id),
      filesDir: join(this.#dirs.containers, entry.id),
      execIds: this.#execs.idsOf(entry.id),
      networkIdOf: (network) => this.#sandboxes.findLocal(network)?.id ?? '',
    });
  }

  async *logs(ref: string, options: LogOptions): AsyncGenerator<LogLine> {
    yield* containerLogs(this.#streams(), this.#table.get(ref), options);
  }

  async attach(ref: string, options: AttachOptions): Promise<Duplex> {
    return attach(this.#streams(), this.#table.get(ref), options);
  }

  async execCreate(ref: string, config: ExecConfig): Promise<string> {
    return this.#execs.create(this.#table.get(ref), config);
  }

  execStart(
    execId: string,
    options: { detach: boolean; tty?: boolean },
  ): Promise<Duplex | undefined> {
    return this.#execs.start(execId, options);
  }

  execResize(execId: string, height: number, width: number): Promise<void> {
    return this.#execs.resize(execId, height, width);
  }

  execInspect(execId: string): ExecInspect {
    return this.#execs.inspect(execId);
  }

  async top(ref: string): Promise<{ Titles: string[]; Processes: string[][] }> {
    const entry = this.#table.get(ref);
    mustBeActive(entry);
    return processTable(await this.runtime.tasks.pids(entry.id));
  }

  async stats(ref: string): Promise<Record<string, unknown>> {
    const { record } = this.#table.get(ref);
    const { cgroupVersion } = this.runtime.features;
    return statsSample(record, { cgroupVersion, now: this.#parts.clock.now() });
  }

  async archiveStat(ref: string, path: string): Promise<PathStat> {
    return this.#archives.stat(this.#table.get(ref), path);
  }

  async archiveGet(ref: string, path: string): Promise<AsyncIterable<Buffer>> {
    return this.#archives.read(this.#table.get(ref), path);
  }

  async archivePut(
    ref: string,
    path: string,
    tar: AsyncIterable<Buffer>,
    options: { noOverwriteDirNonDir: boolean },
  ): Promise<void> {
    await this.#archives.write(this.#table.get(ref), path, tar, options);
  }

  async *export(ref: string): AsyncGenerator<Buffer> {
    yield* this.#archives.export(this.#table.get(ref));
  }

  async changes(ref: string): Promise<Change[]> {
    const { record } = this.#table.get(ref);
    return containerChanges(record, await this.runtime.snapshots.mounts(record.id));
  }

  async update(ref: string, change: Partial<HostConfig>): Promise<{ warnings: string[] }> {
    await this.#settings.update(this.#table.get(ref), change);
    return { warnings: [] };
  }

  async connectNetwork(network: string, ref: string, settings: EndpointSettings): Promise<void> {
    await this.#networking.connect(this.#table.get(ref), network, settings);
  }

  async disconnectNetwork(network: string, ref: string, force: boolean): Promise<void> {
    await this.#networking.disconnect(this.#table.get(ref), network, force);
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    return this.#events.listen(listener);
  }

  #streams() {
    return { events: this.#events, logPath: (id: string) => this.#starter.logPath(id) };
  }

  #outOfMemory(id: string): void {
    const entry = this.#table.byId(id);
    // Late, it was told with the exit.
    if (!entry?.active) return;
    entry.oomReported = true;
    this.#events.container('oom', entry.record);
  }

  /** Again and again: its network may come only when the node has joined its swarm again. */
  async #bootStart(entry: ContainerEntry): Promise<void> {
    const { clock, logger } = this.#parts;
    let delay = 0;
    while (!this.#stopping && !entry.removed && !entry.active && !entry.record.stoppedByUser) {
      try {
        return void (await this.#lifecycle.start(entry));
      } catch (error) {
        delay = restartDelay(delay, 0);
        logger.warn({ err: error, id: entry.id, delay }, 'starting a container at boot failed');
        await sleep(clock, delay);
      }
    }
  }
}

function mustBeActive(entry: ContainerEntry): void {
  if (entry.active) return;
  throw new SwarmError('SWM_CONFLICT', `container ${entry.id} is not running`);
}

function volumeUsers(table: ContainerTable, name: string): string[] {
  return table
    .all()
    .filter(({ record }) => record.mounts.some((mount) => mount.name === name))
    .map(({ id }) => id);
}
