import { silentLogger } from '../../../common/logger.ts';
import { Dispatcher } from '../../../manager/dispatcher/dispatcher.ts';
import { LogBroker } from '../../../manager/logbroker/log-broker.ts';
import { NodeDescription, type Peer, type TaskState } from '../../../proto/gen/swarm/types.ts';
import { Agent } from '../../../worker/agent/agent.ts';
import { type Harness, harness } from '../../manager/dispatcher/harness.ts';
import { node } from '../../manager/dispatcher/objects.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { directConnection } from './direct-connection.ts';
import { FakeEngine } from './fake-engine.ts';
import { MemoryTaskDb } from './memory-task-db.ts';

/** One agent with its dispatcher, on virtual time. */
export class AgentWorld {
  readonly manager: Harness;
  readonly engine = new FakeEngine();
  readonly db = new MemoryTaskDb();
  readonly netCalls: string[] = [];
  /** The managers that the agent wants to be kept for its next start. */
  peers: readonly Peer[] = [];
  /** Resolves each `disableService`; replaced by tests that look at the order. */
  drain: () => Promise<void> = async () => undefined;
  agent: Agent;
  dispatcher: Dispatcher;
  readonly broker: LogBroker;
  #cut = new AbortController();

  private constructor(manager: Harness) {
    this.manager = manager;
    this.dispatcher = manager.dispatcher;
    const { store } = manager;
    this.broker = new LogBroker({ store, random: seededRandom(4), logger: silentLogger });
    this.agent = this.#newAgent();
  }

  static async start(): Promise<AgentWorld> {
    const world = new AgentWorld(await harness([node('n1')]));
    world.engine.images = { busybox: { local: true } };
    await world.dispatcher.start();
    await world.broker.start();
    await world.agent.start();
    await world.run(50);
    return world;
  }

  run(ms: number): Promise<void> {
    return this.manager.clock.advance(ms);
  }

  /** Advances until the store has the task in `state`. */
  async reaches(taskId: string, state: TaskState, limitMs = 10_000): Promise<number> {
    return this.manager.clock.until(
      () => this.manager.task(taskId).status?.state === state,
      limitMs,
      5,
    );
  }

  /** The daemon goes away without a word and comes back; the containers do not notice. */
  async restartAgent(): Promise<void> {
    await this.agent.stop({ leave: false });
    this.agent = this.#newAgent();
    await this.agent.start();
  }

  cutLine(): void {
    this.#cut.abort(new Error('the line is cut'));
  }

  mendLine(): void {
    this.#cut = new AbortController();
  }

  /** Another leader, over the same store. */
  async newLeader(): Promise<void> {
    await this.dispatcher.stop();
    const { store, clock } = this.manager;
    const membership = { members: () => [], onMembers: () => () => undefined };
    this.dispatcher = new Dispatcher(
      { store, clock, membership, random: seededRandom(2), logger: silentLogger },
      { nodeId: 'leader-2' },
    );
    await this.dispatcher.start();
  }

  #newAgent(): Agent {
    const { clock } = this.manager;
    const caller = { nodeId: 'n1', addr: '10.0.0.1' };
    return new Agent(
      {
        engine: this.engine.api(),
        netdriver: {
          enableService: async (id) => {
            this.netCalls.push(`enable ${this.engine.containers.get(id)?.taskId}`);
          },
          disableService: async (id) => {
            this.netCalls.push(`disable ${this.engine.containers.get(id)?.taskId}`);
            await this.drain();
          },
        },
        dial: () =>
          directConnection(
            () => this.dispatcher,
            caller,
            this.#cut.signal,
            () => this.broker,
          ),
        db: this.db,
        clock,
        random: seededRandom(3),
        logger: silentLogger,
      },
      {
        nodeId: 'n1',
        description: NodeDescription.fromPartial({ hostname: 'host-1' }),
        peers: [{ nodeId: 'm1', addr: 'manager:2377' }],
        onPeers: (peers) => {
          this.peers = peers;
        },
      },
    );
  }
}
