import { type Clock, sleep } from '../../common/clock.ts';
import { silentLogger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Dispatcher } from '../../manager/dispatcher/dispatcher.ts';
import type { LogBroker } from '../../manager/logbroker/log-broker.ts';
import { NodeDescription } from '../../proto/gen/swarm/types.ts';
import { Agent } from '../../worker/agent/agent.ts';
import type { EngineApi } from '../../worker/engine/types.ts';
import { directConnection } from '../worker/agent/direct-connection.ts';
import { FakeEngine } from '../worker/agent/fake-engine.ts';
import { MemoryTaskDb } from '../worker/agent/memory-task-db.ts';

export interface SimNodeComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly dispatcher: () => Dispatcher;
  readonly broker: () => LogBroker;
}

/** How long a runtime takes, measured on two cores: 16 containers in a second. */
const CREATE_MS = 40;
const START_MS = 60;
const STOP_MS = 100;
const DRAIN_MS = 200;

/** A host: its containers survive its daemon, and both go when its power goes. */
export class SimNode {
  readonly id: string;
  readonly #components: SimNodeComponents;
  readonly #db = new MemoryTaskDb();
  engine = new FakeEngine();
  #agent: Agent | undefined;
  #cut = new AbortController();

  constructor(components: SimNodeComponents, init: { id: string }) {
    this.#components = components;
    this.id = init.id;
  }

  /** Starts the daemon. */
  async start(): Promise<void> {
    if (this.#agent) return;
    this.#agent = this.#newAgent();
    await this.#agent.start();
  }

  /** Ends the daemon. */
  async stop(): Promise<void> {
    await this.#agent?.stop({ leave: false });
    this.#agent = undefined;
  }

  /** All containers end with the daemon. */
  async powerOff(): Promise<void> {
    this.cutLine();
    await this.stop();
    for (const { taskId, state } of this.engine.containers.values()) {
      if (state.status === 'running') this.engine.exit(taskId, 255);
    }
  }

  cutLine(): void {
    this.#cut.abort(new Error('the line is cut'));
  }

  mendLine(): void {
    if (this.#cut.signal.aborted) this.#cut = new AbortController();
  }

  containersOf(serviceId: string): number {
    return [...this.engine.containers.values()].filter(
      ({ config, state }) =>
        state.status === 'running' && config.Labels?.['com.docker.swarm.service.id'] === serviceId,
    ).length;
  }

  #newAgent(): Agent {
    const { clock, random, dispatcher, broker } = this.#components;
    const caller = { nodeId: this.id, addr: '10.0.0.1' };
    return new Agent(
      {
        engine: slow(this.engine.api(), clock),
        netdriver: {
          enableService: async () => undefined,
          disableService: () => sleep(clock, DRAIN_MS),
        },
        dial: () => directConnection(dispatcher, caller, this.#cut.signal, broker),
        db: this.#db,
        clock,
        random,
        logger: silentLogger,
      },
      {
        nodeId: this.id,
        description: NodeDescription.fromPartial({
          hostname: this.id,
          platform: { architecture: 'x86_64', os: 'linux' },
          resources: { nanoCpus: 4e9, memoryBytes: 8e9 },
        }),
        peers: [{ nodeId: 'manager', addr: 'manager:2377' }],
      },
    );
  }
}

/** The engine with the time that it takes; one container after the other, as on few cores. */
function slow(engine: EngineApi, clock: Clock): EngineApi {
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(ms: number, work: () => Promise<T>): Promise<T> => {
    const done = queue.then(() => sleep(clock, ms)).then(work);
    queue = done.catch(() => undefined);
    return done;
  };
  return {
    ...engine,
    images: {
      ...engine.images,
      inspect: async (reference) => ({ id: reference, repoDigests: [`${reference}@x`] }) as never,
      distribution: async () => ({ mediaType: '', digest: 'x', size: 0, platforms: [] }),
    },
    create: (body, options) => inTurn(CREATE_MS, () => engine.create(body, options)),
    startContainer: (ref) => inTurn(START_MS, () => engine.startContainer(ref)),
    stopContainer: async (ref, options) => {
      await sleep(clock, STOP_MS);
      return engine.stopContainer(ref, options);
    },
  };
}
