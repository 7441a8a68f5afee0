import { randomInt } from '../../common/random.ts';
import { Faults } from './cluster/faults.ts';
import { RegisterClients } from './cluster/register-clients.ts';
import { SimCluster } from './cluster/sim-cluster.ts';
import { Trace } from './world/trace.ts';
import { Violation, World } from './world/world.ts';

export interface RunInit {
  readonly seed: number;
  /** Gets each line of the trace. */
  readonly print?: (line: string) => void;
}

export interface RunResult {
  readonly seed: number;
  /** The same for two runs exactly when all their events were the same. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly entries: number;
  readonly elections: number;
  readonly operations: number;
  readonly failure: Error | undefined;
}

const FAULTY_MS = 40_000;
const RECOVERY_MS = 60_000;

/** One cluster from its beginning, through faults, to its recovery: all of it from the seed. */
export async function runSimulation(init: RunInit): Promise<RunResult> {
  const trace = new Trace(init.print);
  const world = new World({ trace }, { seed: init.seed });
  const random = world.random();
  const managers = [3, 3, 5, 1][randomInt(random, 0, 3)]!;
  const drift = [0, 0.01, 0.2][randomInt(random, 0, 2)]!;
  const createRole = () => ({ start: async () => undefined, stop: async () => undefined });
  const cluster = new SimCluster({ world, createRole }, { managers, drift });
  const clients = new RegisterClients({
    world,
    network: cluster.network,
    managers: () => cluster.managers,
  });
  const faults = new Faults({ world, cluster });
  const failure = await story({ world, cluster, clients, faults }).then(
    () => undefined,
    (error) => world.violation ?? error,
  );
  return {
    seed: init.seed,
    hash: trace.hash,
    events: world.events,
    virtualMs: world.time,
    entries: cluster.raftOracle.entries,
    elections: cluster.raftOracle.elections,
    operations: clients.operations,
    failure,
  };
}

interface Cast {
  readonly world: World;
  readonly cluster: SimCluster;
  readonly clients: RegisterClients;
  readonly faults: Faults;
}

async function story({ world, cluster, clients, faults }: Cast): Promise<void> {
  await cluster.boot();
  clients.start();
  await world.run(1_000);
  faults.start();
  await world.run(FAULTY_MS);
  faults.heal();
  const before = clients.acknowledged;
  const alive = await world.until(
    () => {
      faults.keepAlive();
      return cluster.leader() !== undefined && clients.acknowledged > before;
    },
    RECOVERY_MS,
    500,
  );
  if (!alive) throw new Violation('nothing was written within a minute after the faults ended');
  clients.stop();
  await world.run(6_000);
  const settled = await world.until(() => cluster.isSettled(), RECOVERY_MS, 100);
  if (!settled) throw new Violation('the members did not agree within a minute after the faults');
  cluster.assertEqual();
  clients.judge(cluster.leader()!.life!);
}
