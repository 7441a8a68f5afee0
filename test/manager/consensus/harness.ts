import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChannelCredentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { systemClock } from '../../../common/clock.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import {
  Consensus,
  type ConsensusInit,
  createRaftMembershipService,
  createRaftService,
  type KeyRing,
  type OpenLogDb,
  type StateMachine,
} from '../../../manager/consensus/index.ts';
import { RaftMembershipServiceService, RaftService } from '../../../proto/gen/swarm/raft.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { DEADLINE_MS } from '../../support/eventually.ts';
import { LOOPBACK } from '../../support/loopback.ts';

/** A state machine that keeps the text of every entry, in order. */
class ToyStateMachine implements StateMachine {
  entries: { index: number; text: string }[] = [];
  discards = 0;
  restores = 0;
  /** Size of the padding that makes snapshots larger. */
  padding = 0;

  get texts(): string[] {
    return this.entries.map(({ text }) => text);
  }

  apply(index: number, data: Uint8Array): void {
    this.entries.push({ index, text: Buffer.from(data).toString() });
  }

  discardProposals(): void {
    this.discards++;
  }

  async *snapshot(): AsyncGenerator<Uint8Array> {
    const entries = [...this.entries];
    yield Buffer.alloc(this.padding);
    yield Buffer.from(JSON.stringify(entries));
  }

  async restore(_index: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    for await (const piece of chunks) pieces.push(piece);
    this.entries = JSON.parse(Buffer.from(pieces.at(-1) ?? '[]').toString());
    this.restores++;
  }
}

export const KEYS: KeyRing = keyRing(1);

export function keyRing(...fills: number[]): KeyRing {
  const all = fills.map((fill) => new Uint8Array(32).fill(fill));
  return { current: all[0]!, all };
}

/** One manager as far as Raft is concerned: a gRPC server, a directory, and a Consensus at a time. */
export class TestManager {
  readonly nodeId: string;
  readonly dir: string;
  machine = new ToyStateMachine();
  consensus: Consensus | undefined;
  removed = 0;
  failures: Error[] = [];
  readonly #host: string;
  #server: Server | undefined;
  #port = 0;

  constructor(nodeId: string, dir: string, host = LOOPBACK, port = 0) {
    this.nodeId = nodeId;
    this.dir = dir;
    this.#host = host;
    this.#port = port;
  }

  get addr(): string {
    return `${this.#host}:${this.#port}`;
  }

  get api(): Consensus {
    if (!this.consensus) throw new Error(`${this.nodeId} does not run`);
    return this.consensus;
  }

  async listen(): Promise<void> {
    const components = {
      consensus: () => this.consensus,
      // There are no certificates here: who calls is in the user agent.
      callerOf: (call: { metadata: { get(key: string): unknown[] } }) => {
        const nodeId = String(call.metadata.get('user-agent')[0]).split(' ')[0]!;
        const role = nodeId.startsWith('worker') ? NodeRole.WORKER : NodeRole.MANAGER;
        return { nodeId, role };
      },
    };
    const server = new Server();
    server.addService(RaftService, createRaftService(components));
    server.addService(RaftMembershipServiceService, createRaftMembershipService(components));
    this.#server = server;
    this.#port = await new Promise((resolve, reject) => {
      server.bindAsync(this.addr, ServerCredentials.createInsecure(), (error, port) => {
        if (error) reject(error);
        else resolve(port);
      });
    });
  }

  async start(
    init: Partial<ConsensusInit>,
    keys: KeyRing = KEYS,
    openLogDb?: OpenLogDb,
  ): Promise<Consensus> {
    if (!this.#server) await this.listen();
    this.machine = Object.assign(new ToyStateMachine(), { padding: this.machine.padding });
    const consensus = await Consensus.open(
      {
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        stateMachine: this.machine,
        keys,
        openLogDb,
        dial: () => ({
          credentials: ChannelCredentials.createInsecure(),
          options: { 'grpc.primary_user_agent': this.nodeId },
        }),
      },
      {
        dir: this.dir,
        nodeId: this.nodeId,
        addr: this.addr,
        onRemoved: () => this.removed++,
        onFailure: (error) => this.failures.push(error),
        ...init,
      },
    );
    this.consensus = consensus;
    await consensus.start();
    return consensus;
  }

  /** The next start is at another address. */
  forgetPort(): void {
    this.#port = 0;
  }

  /** As if the process was killed: nothing is handed over, nobody is told, its port is closed. */
  async kill(): Promise<void> {
    const consensus = this.consensus;
    this.consensus = undefined;
    const server = this.#server;
    this.#server = undefined;
    await Promise.all([consensus?.abandon(), server?.forceShutdown()]);
  }

  async stop(): Promise<void> {
    await this.consensus?.stop();
    this.consensus = undefined;
    this.#server?.forceShutdown();
    this.#server = undefined;
  }
}

/** Managers in one process, over real gRPC on the loopback interface. */
export class TestCluster {
  readonly managers: TestManager[] = [];
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async create(size: number, init: Partial<ConsensusInit> = {}): Promise<TestCluster> {
    const cluster = new TestCluster(await mkdtemp(join(tmpdir(), 'consensus-')));
    const first = cluster.add();
    await first.start({ bootstrap: true, ...init });
    await until(() => first.api.isLeader, 'the first manager leads');
    for (let i = 1; i < size; i++) await cluster.join(cluster.add(), init);
    await cluster.allVote(size);
    return cluster;
  }

  add(host?: string): TestManager {
    const nodeId = `node-${this.managers.length}`;
    const manager = new TestManager(nodeId, join(this.#root, nodeId), host);
    this.managers.push(manager);
    return manager;
  }

  async join(manager: TestManager, init: Partial<ConsensusInit> = {}): Promise<void> {
    await manager.listen();
    const leader = await this.leader();
    const { nodeId, addr } = manager;
    const { raftId } = await leader.api.addMember({ nodeId, addr, raftId: 0 });
    await manager.start({ join: { raftId, membership: leader.api.membership() }, ...init });
  }

  get running(): TestManager[] {
    return this.managers.filter(({ consensus }) => consensus !== undefined);
  }

  async leader(): Promise<TestManager> {
    const find = () => this.running.find(({ api }) => api.isLeader);
    await until(() => find() !== undefined, 'somebody leads');
    return find()!;
  }

  async followers(): Promise<TestManager[]> {
    const leader = await this.leader();
    return this.running.filter((manager) => manager !== leader);
  }

  allVote(size: number): Promise<void> {
    const voters = ({ api }: TestManager) => api.members().filter(({ learner }) => !learner).length;
    return until(() => this.running.every((each) => voters(each) === size), `${size} voters`);
  }

  async killAll(): Promise<void> {
    await Promise.all(this.managers.map((manager) => manager.kill()));
  }

  async stop(): Promise<void> {
    await this.killAll();
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** Polls until `condition` holds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  limitMs = DEADLINE_MS,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Waited ${limitMs} ms in vain until ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Proposes texts one after the other and waits for each. */
export async function write(manager: TestManager, ...texts: string[]): Promise<void> {
  for (const text of texts) await manager.api.propose(Buffer.from(text)).committed;
}
