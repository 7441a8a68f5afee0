import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { fromServiceError } from '../../common/grpc-errors.ts';
import { newHexId } from '../../common/ids.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Startable } from '../../common/startable.ts';
import { TaskOOM } from '../../proto/gen/containerd/task_events.ts';
import { ContainerdClient } from './containerd/client.ts';
import { PrivateContainerd } from './containerd/daemon.ts';
import { isAlreadyExists, isUnavailable } from './containerd/errors.ts';
import { hostFeatures } from './host.ts';
import { Assembler } from './image/assemble.ts';
import { ContentStore } from './image/content.ts';
import { hostPlatform } from './image/platform.ts';
import { Puller } from './image/pull.ts';
import { ImageStore } from './image/store.ts';
import type { Platform } from './image/types.ts';
import { Unpacker } from './image/unpack.ts';
import type { HostFeatures } from './oci/spec.ts';
import { Snapshots } from './snapshots.ts';
import { Tasks } from './task.ts';

const NAMESPACE = 'swarm';
const WATCH_RETRY_MS = 500;

export interface RuntimeComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface RuntimeInit {
  readonly stateDir: string;
  readonly runDir: string;
  /** The socket of a running containerd; without it a private one is started. */
  readonly containerdAddress?: string;
  readonly containerdBinary?: string;
  readonly snapshotter?: string;
  /** Registries without TLS: `host`, `host:port` or a CIDR. Loopback is always one. */
  readonly insecureRegistries?: readonly string[];
}

/** Everything that containerd does for us, wired up. */
export class Runtime implements Startable {
  readonly snapshotter: string;
  readonly platform: Platform;
  readonly client: ContainerdClient;
  readonly content: ContentStore;
  readonly images: ImageStore;
  readonly unpacker: Unpacker;
  readonly assembler: Assembler;
  readonly puller: Puller;
  readonly snapshots: Snapshots;
  readonly tasks: Tasks;
  readonly #components: RuntimeComponents;
  readonly #daemon: PrivateContainerd | undefined;
  readonly #stopping = new AbortController();
  #features: HostFeatures | undefined;

  constructor(components: RuntimeComponents, init: RuntimeInit) {
    this.#components = components;
    this.snapshotter = init.snapshotter ?? 'overlayfs';
    this.platform = hostPlatform(process.arch);
    const { clock } = components;
    if (!init.containerdAddress) {
      const { stateDir, runDir, containerdBinary } = init;
      const binary = containerdBinary ? { binary: containerdBinary } : {};
      this.#daemon = new PrivateContainerd(components, { stateDir, runDir, ...binary });
    }
    const address = init.containerdAddress ?? (this.#daemon as PrivateContainerd).paths.socket;
    const { snapshotter } = this;
    const client = new ContainerdClient({ address, namespace: NAMESPACE });
    const content = new ContentStore({ client });
    const images = new ImageStore({ client, content });
    const unpacker = new Unpacker({ client, snapshotter });
    this.client = client;
    this.content = content;
    this.images = images;
    this.unpacker = unpacker;
    this.assembler = new Assembler({ content, images, unpacker, snapshotter });
    this.puller = new Puller(
      {
        ...components,
        client,
        content,
        images,
        unpacker,
        assembler: this.assembler,
        newLeaseId: () => this.newLeaseId(),
      },
      { insecureRegistries: init.insecureRegistries ?? [] },
    );
    this.snapshots = new Snapshots({ client }, { snapshotter });
    const runcRoot = join(init.runDir, 'runc');
    this.tasks = new Tasks({ client, clock }, { runcRoot, snapshotter });
  }

  get features(): HostFeatures {
    if (!this.#features) throw new Error('the runtime is not started');
    return this.#features;
  }

  async start(): Promise<void> {
    const [features] = await Promise.all([hostFeatures(), this.#daemon?.ensure()]);
    this.#features = features;
    const { namespaces } = this.client;
    const namespace = { name: NAMESPACE, labels: {} };
    try {
      await this.client.call(namespaces, namespaces.create, { namespace });
    } catch (error) {
      if (isUnavailable(error) && !this.#daemon) throw notReached(error);
      if (!isAlreadyExists(error)) throw error;
    }
    await this.snapshots.check();
  }

  /** containerd goes on running. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.client.close();
  }

  /** Ends a private containerd too: for tearing a host down. */
  async terminate(): Promise<void> {
    await this.stop();
    await this.#daemon?.terminate();
  }

  newLeaseId(): string {
    return newHexId(this.#components.random);
  }

  /** Brings a private containerd back when it has died. */
  async revive(): Promise<void> {
    await this.#daemon?.ensure();
  }

  /** Calls `listener` with a container's id when the kernel killed a process of it for memory. */
  async watchOutOfMemory(listener: (containerId: string) => void): Promise<void> {
    const { signal } = this.#stopping;
    const { events } = this.client;
    const request = { filters: [`namespace==${NAMESPACE},topic=="/tasks/oom"`] };
    while (!signal.aborted) {
      try {
        for await (const envelope of this.client.stream(events, events.subscribe, request, {
          signal,
        })) {
          if (envelope.event) listener(TaskOOM.decode(envelope.event.value).containerId);
        }
      } catch {
        // The connection is gone; so may a private containerd be.
      }
      if (signal.aborted) return;
      await new Promise<void>((resolve) => {
        this.#components.clock.setTimer(WATCH_RETRY_MS, resolve);
      });
      if (signal.aborted) return;
      await this.revive().catch((error: unknown) => {
        this.#components.logger.error({ err: error }, 'containerd cannot be started again');
      });
    }
  }
}

function notReached(cause: unknown): SwarmError {
  const { message } = fromServiceError(cause);
  return new SwarmError('SWM_UNAVAILABLE', `containerd does not answer: ${message}`, {
    hint: 'Start it, or leave --containerd out: then swarmd starts one of its own.',
    cause,
  });
}
