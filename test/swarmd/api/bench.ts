import { Readable } from 'node:stream';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { systemClock } from '../../../common/clock.ts';
import { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import type { ManagerApi } from '../../../manager/types.ts';
import type { LogMessage, SubscribeLogsRequest } from '../../../proto/gen/swarm/logs.ts';
import { Node } from '../../../proto/gen/swarm/objects.ts';
import { NodeSpec_Membership as Membership } from '../../../proto/gen/swarm/specs.ts';
import { NodeRole, NodeState } from '../../../proto/gen/swarm/types.ts';
import { createApp } from '../../../swarmd/api/app.ts';
import { EventHub } from '../../../swarmd/api/events/event-hub.ts';
import { EventSources } from '../../../swarmd/api/events/event-sources.ts';
import type {
  InitRequest,
  JoinRequest,
  RecoverRequest,
  SwarmNodeApi,
  SwarmNodeState,
  SystemInfo,
} from '../../../swarmd/api/node-api.ts';
import { type Bench as ControlBench, controlBench, member } from '../../manager/control/fixture.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { FakeEngine } from './fake-engine.ts';
import { FakeNetDriver } from './fake-netdriver.ts';

export const NODE_ID = 'nodeaaaaaaaaaaaaaaaaaaaaa';

const INACTIVE: SwarmNodeState = {
  nodeId: '',
  nodeAddr: '',
  localNodeState: 'inactive',
  role: 'none',
  error: '',
  remoteManagers: [],
};

const ACTIVE: SwarmNodeState = {
  nodeId: NODE_ID,
  nodeAddr: '10.1.0.1',
  localNodeState: 'active',
  role: 'manager',
  error: '',
  remoteManagers: [{ nodeId: NODE_ID, addr: '10.1.0.1:2377' }],
};

export const SYSTEM: SystemInfo = {
  id: 'daemon1',
  hostname: 'host1',
  kernelVersion: '6.18.0',
  operatingSystem: 'Debian GNU/Linux 12',
  osVersion: '12',
  architecture: 'x86_64',
  cpus: 2,
  memoryBytes: 8_000_000_000,
  rootDir: '/var/lib/swarm',
  storageDriver: 'overlayfs',
  loggingDriver: 'json-file',
  cgroupDriver: 'cgroupfs',
  cgroupVersion: '2',
  containerdVersion: '1.6.20',
  runcVersion: '1.1.5',
  version: '0.1.0',
  gitCommit: 'abc',
  buildTime: '2026-01-01T00:00:00Z',
  labels: ['rack=a'],
};

/** A node whose engine, network driver and log broker are fakes; the store and control are real. */
export class FakeNode implements SwarmNodeApi {
  readonly engine = new FakeEngine();
  readonly drivers = new FakeNetDriver();
  readonly netdriver = this.drivers.asNetDriver();
  readonly calls: unknown[][] = [];
  readonly #listeners = new Set<() => void>();
  manager: ManagerApi | undefined;
  current: SwarmNodeState = INACTIVE;
  key = 'SWMKEY-1-right';

  state(): SwarmNodeState {
    return this.current;
  }

  onState(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  become(state: Partial<SwarmNodeState>, manager: ManagerApi | undefined): void {
    this.current = { ...this.current, ...state };
    this.manager = manager;
    for (const listener of this.#listeners) listener();
  }

  systemInfo(): SystemInfo {
    return SYSTEM;
  }

  async init(request: InitRequest): Promise<string> {
    this.calls.push(['init', request]);
    return NODE_ID;
  }

  async join(request: JoinRequest): Promise<void> {
    this.calls.push(['join', request]);
  }

  async leave(force: boolean): Promise<void> {
    this.calls.push(['leave', force]);
  }

  async unlock(key: string): Promise<void> {
    if (key !== this.key) {
      const message = 'swarm could not be unlocked: invalid key provided';
      throw new SwarmError('SWM_UNAUTHENTICATED', message);
    }
    this.become({ localNodeState: 'active' }, undefined);
  }

  async recover({ archive, ...request }: RecoverRequest): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive) chunks.push(chunk);
    this.calls.push(['recover', request, Buffer.concat(chunks).toString()]);
    return NODE_ID;
  }
}

export interface ApiBench {
  readonly node: FakeNode;
  readonly app: FastifyInstance;
  readonly control: ControlBench;
  readonly manager: FakeManager;
  readonly sources: EventSources;
  /** Sends a request with a JSON body and reads a JSON answer. */
  call(
    method: NonNullable<InjectOptions['method']>,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is for the test to say.
  readonly json: any;
}

/** The API of a manager (or of a node in no swarm), to be called without a socket. */
export async function apiBench(init: { swarm?: boolean } = {}): Promise<ApiBench> {
  const control = await controlBench();
  const node = new FakeNode();
  const manager = new FakeManager(control);
  const events = new EventHub();
  const sources = new EventSources({ node, events, clock: systemClock });
  await sources.start();
  if (init.swarm !== false) {
    await addNode(control, NODE_ID, 'host1', NodeRole.MANAGER);
    control.members.push({
      ...member(1, NODE_ID),
      addr: '10.1.0.1:2377',
      leader: true,
      self: true,
    });
    node.become(ACTIVE, manager);
  }
  const app = createApp({
    node,
    logger: silentLogger,
    clock: systemClock,
    random: seededRandom(7),
    events,
  });
  return {
    node,
    app,
    control,
    manager,
    sources,
    async call(method, url, body, headers = {}) {
      const response = await app.inject({
        method,
        url,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      });
      return {
        status: response.statusCode,
        headers: response.headers,
        text: response.body,
        get json() {
          return response.body === '' ? undefined : JSON.parse(response.body);
        },
      };
    },
  };
}

/** A manager that leads a cluster of one, on the store of `bench`. */
class FakeManager implements ManagerApi {
  readonly #bench: ControlBench;
  readonly isLeader = true;
  /** Set to make reads fail. */
  failure: SwarmError | undefined;
  messages: LogMessage[] = [];
  readonly logRequests: SubscribeLogsRequest[] = [];

  constructor(bench: ControlBench) {
    this.#bench = bench;
  }

  get control() {
    return this.#bench.control;
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  leader() {
    return this.#bench.members.find(({ leader }) => leader);
  }

  members() {
    return this.#bench.members;
  }

  stats() {
    return undefined;
  }

  async read<T>(view: Parameters<ManagerApi['readLocal']>[0] & ((tx: never) => T)): Promise<T> {
    if (this.failure) throw this.failure;
    return this.#bench.store.view(view as never) as T;
  }

  readLocal<T>(view: (tx: never) => T): T {
    return this.#bench.store.view(view as never) as T;
  }

  subscribe(listener: Parameters<ManagerApi['subscribe']>[0]) {
    return this.#bench.store.subscribe(listener);
  }

  async *subscribeLogs(request: SubscribeLogsRequest, signal: AbortSignal) {
    this.logRequests.push(request);
    yield* this.messages;
    if (request.options?.follow) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    }
  }

  async unlockKey(): Promise<string> {
    return 'SWMKEY-1-xyz';
  }

  async backup({ local }: { local: boolean }): Promise<AsyncIterable<Buffer>> {
    if (this.failure && !local) throw this.failure;
    return Readable.from([Buffer.from('a backup'), Buffer.from(' in pieces')]);
  }

  async leaveRaft(): Promise<void> {}
}

export async function addNode(
  { store }: ControlBench,
  id: string,
  hostname: string,
  role: NodeRole,
): Promise<void> {
  const node = Node.fromPartial({
    id,
    role,
    spec: {
      annotations: { labels: { zone: hostname } },
      desiredRole: role,
      membership: Membership.ACCEPTED,
    },
    status: { state: NodeState.READY, addr: '10.1.0.1' },
    description: {
      hostname,
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: { nanoCpus: 2e9, memoryBytes: 8e9 },
      engine: { engineVersion: '28.2.2' },
    },
  });
  await store.update((tx) => tx.create('node', node));
}
