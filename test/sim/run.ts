import { randomInt } from '../../common/random.ts';
import { missingFrom } from './checks/convergence.ts';
import { type FaultChoice, Faults } from './cluster/faults.ts';
import { RegisterClients } from './cluster/register-clients.ts';
import { ServiceClients } from './cluster/service-clients.ts';
import { SimCluster } from './cluster/sim-cluster.ts';
import { Trace } from './world/trace.ts';
import { Violation, World } from './world/world.ts';

export interface RunInit {
  readonly seed: number;
  /** `drawn` by default. */
  readonly faults?: FaultChoice;
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

const FAULTY_MS = 20_000;
const RECOVERY_MS = 60_000;
/** Longer than any client waits for an answer, and than a node that is gone counts as there. */
const SETTLING_MS = 4_000;
const CONVERGENCE_MS = 180_000;

/** One cluster from its beginning, through faults, to its recovery: all of it from the seed. */
export async function runSimulation(init: RunInit): Promise<RunResult> {
  const trace = new Trace(init.print);
  const world = new World({ trace }, { seed: init.seed });
  const random = world.random();
  const managers = [3, 3, 5, 1][randomInt(random, 0, 3)]!;
  const choice = init.faults ?? 'drawn';
  const all = choice === 'all';
  const drift = [all ? 0.1 : 0, 0.01, 0.2][randomInt(random, 0, 2)]!;
  // Ticks without news are most of what happens: half of the runs have half as many.
  const tickMs = [100, 200][randomInt(random, 0, 1)]!;
  const workers = randomInt(random, all ? 1 : 0, 3);
  const cluster = new SimCluster({ world }, { managers, workers, drift, tickMs });
  const clients = new RegisterClients({
    world,
    network: cluster.network,
    managers: () => cluster.managers,
  });
  const users = new ServiceClients({ world, cluster });
  const faults = new Faults({ world, cluster }, { choice });
  const failure = await outcomeOf(world, story({ world, cluster, clients, users, faults }));
  return {
    seed: init.seed,
    hash: trace.hash,
    events: world.events,
    virtualMs: world.time,
    entries: cluster.raftOracle.entries,
    elections: cluster.raftOracle.elections,
    operations: clients.operations + users.operations,
    failure,
  };
}

/** What the story ends with; a rejection that nobody handles ends it too. */
async function outcomeOf(world: World, story: Promise<void>): Promise<Error | undefined> {
  const onRejection = (error: unknown) => world.fail(error);
  process.on('unhandledRejection', onRejection);
  try {
    await story;
    return undefined;
  } catch (error) {
    return world.violation ?? (error as Error);
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

interface Cast {
  readonly world: World;
  readonly cluster: SimCluster;
  readonly clients: RegisterClients;
  readonly users: ServiceClients;
  readonly faults: Faults;
}

async function story(cast: Cast): Promise<void> {
  const { world, cluster, clients, users, faults } = cast;
  await cluster.boot();
  clients.start();
  users.start();
  await world.run(1_000);
  faults.start();
  await world.run(FAULTY_MS);
  faults.heal();
  await recover(cast);
  clients.stop();
  users.stop();
  await world.run(SETTLING_MS);
  if (!(await world.until(() => isSettled(cast), RECOVERY_MS, 100))) {
    throw new Violation('the members do not agree, a minute after the faults');
  }
  await converge(cast);
  if (!(await world.until(() => cluster.isLockedAsTold(), RECOVERY_MS, 100))) {
    throw new Violation('what a manager has on disk is not locked as the cluster says');
  }
  cluster.assertEqual();
  const life = cluster.leader()!.life!;
  clients.judge(life);
  users.judge(life);
}

/** Once nothing fails any more, somebody leads and can write. */
async function recover({ world, cluster, clients, faults }: Cast): Promise<void> {
  const before = clients.acknowledged;
  const isAlive = () => {
    faults.keepAlive();
    return cluster.leader() !== undefined && clients.acknowledged > before;
  };
  if (await world.until(isAlive, RECOVERY_MS, 500)) return;
  throw new Violation('nothing was written within a minute after the faults ended');
}

/** Then every service gets what it asks for, and nothing else runs. */
async function converge(cast: Cast): Promise<void> {
  const { world, cluster, users, faults } = cast;
  let missing = '';
  const isDone = () => {
    faults.keepAlive();
    users.activateAll();
    const store = cluster.leader()?.life?.store;
    missing = store ? missingFrom(store, cluster.workers, faults.lost) : 'a leader';
    return missing === '';
  };
  // What is there must also stay.
  for (let i = 0; i < 2; i++) {
    if (!(await world.until(isDone, CONVERGENCE_MS, 500))) {
      throw new Violation(`the services do not get what they ask for: ${missing}`);
    }
    await world.run(SETTLING_MS);
  }
  if (!isDone()) throw new Violation(`what was there did not stay: ${missing}`);
  if (!(await world.until(() => isSettled(cast), RECOVERY_MS, 10))) {
    throw new Violation('the members do not agree in the end');
  }
}

/** Who was told to stop while its disk was slow may end only now, and is to be started again. */
function isSettled({ cluster, faults }: Cast): boolean {
  faults.keepAlive();
  return cluster.isSettled(faults.lost);
}
