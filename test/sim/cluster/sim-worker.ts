import { ChannelCredentials, type Metadata } from '@grpc/grpc-js';
import { silentLogger } from '../../../common/logger.ts';
import { claimsForwarding, setCaller } from '../../../manager/ca/caller.ts';
import { NodeDescription, NodeRole, type Peer } from '../../../proto/gen/swarm/types.ts';
import { Agent } from '../../../worker/agent/agent.ts';
import { grpcDial } from '../../../worker/agent/grpc-connection.ts';
import type { TaskDb } from '../../../worker/agent/task-db.ts';
import { MemoryTaskDb } from '../../worker/agent/memory-task-db.ts';
import type { SimGrpc } from '../world/grpc.ts';
import { SimProcess } from '../world/sim-process.ts';
import type { World } from '../world/world.ts';
import { SimEngine } from './sim-engine.ts';
import { CLUSTER_ID } from './sim-manager.ts';

export interface SimWorkerComponents {
  readonly world: World;
  readonly grpc: SimGrpc;
}

export interface SimWorkerInit {
  readonly name: string;
  readonly clockRate: number;
  readonly managers: readonly string[];
}

/** A worker's host: the real agent over simulated containers. */
export class SimWorker {
  readonly name: string;
  readonly engine: SimEngine;
  readonly #components: SimWorkerComponents;
  readonly #init: SimWorkerInit;
  readonly #db = new MemoryTaskDb();
  #peers: readonly Peer[];
  process: SimProcess | undefined;
  #agent: Agent | undefined;

  constructor(components: SimWorkerComponents, init: SimWorkerInit) {
    this.#components = components;
    this.#init = init;
    this.name = init.name;
    this.engine = new SimEngine({ random: components.world.random() });
    this.#peers = init.managers.map((addr) => ({ nodeId: addr.split(':')[0]!, addr }));
  }

  get running(): boolean {
    return this.process !== undefined && !this.process.ended;
  }

  /** The managers that it would ask. */
  get peers(): readonly Peer[] {
    return this.#peers;
  }

  start(): void {
    if (this.running) return;
    const { world, grpc } = this.#components;
    const { name, clockRate } = this.#init;
    grpc.network.setPower(name, true);
    const process = new SimProcess(world, { name, clockRate });
    this.process = process;
    this.#log('start', '');
    this.#agent = this.#newAgent(process);
    this.#agent.start().catch((error) => {
      if (!process.ended) world.fail(error);
    });
  }

  /** Ends the daemon in good order; containers run on. */
  async stop(): Promise<void> {
    const { process } = this;
    if (!process || process.ended) return;
    this.#log('stop', '');
    await this.#agent?.stop({ leave: false });
    process.end();
  }

  crash(powerLoss: boolean): void {
    if (!this.running) return;
    this.#log('crash', powerLoss ? 'power' : 'process');
    if (powerLoss) this.#components.grpc.network.setPower(this.name, false);
    this.process?.end();
    if (powerLoss) this.engine.powerOff();
  }

  #newAgent(process: SimProcess): Agent {
    const { clock, random } = process;
    const identify = (metadata: Metadata) => this.#identify(metadata);
    const end = { host: this.name, process, identify };
    return new Agent(
      {
        engine: this.engine.api(process),
        netdriver: {
          enableService: async () => undefined,
          disableService: async () => undefined,
        },
        dial: grpcDial(
          () => ChannelCredentials.createInsecure(),
          this.#components.grpc.clientOptions(end),
        ),
        db: this.#dbFor(process),
        clock,
        random,
        logger: silentLogger,
      },
      {
        nodeId: this.name,
        description: NodeDescription.fromPartial({
          hostname: this.name,
          platform: { architecture: 'x86_64', os: 'linux' },
          resources: { nanoCpus: 4e9, memoryBytes: 8e9 },
        }),
        peers: this.#peers,
        onPeers: (peers) => {
          if (!process.ended) this.#peers = peers;
        },
      },
    );
  }

  /** Each write is durable at once. */
  #dbFor(process: SimProcess): TaskDb {
    const db = this.#db;
    return {
      load: () => process.outside(() => db.load()),
      putTask: (task) => process.outside(() => db.putTask(task)),
      putStatus: (taskId, status) => process.outside(() => db.putStatus(taskId, status)),
      remove: (taskId) => process.outside(() => db.remove(taskId)),
      close: () => process.outside(() => db.close()),
    };
  }

  #identify(metadata: Metadata): void {
    if (claimsForwarding(metadata)) return;
    const role = NodeRole.WORKER;
    setCaller(metadata, { nodeId: this.name, role, clusterId: CLUSTER_ID, addr: '10.9.0.1' });
  }

  #log(kind: string, details: string): void {
    this.#components.world.log(this.name, kind, details);
  }
}
