import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { NetDriverApi } from '../../netdriver/index.ts';
import type { OciSpec } from '../runtime/oci/types.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { TaskInfo } from '../runtime/task.ts';
import { ContainerEntry } from './container.ts';
import type { EngineDatabase } from './database.ts';
import type { ExitHandler } from './exit-handler.ts';
import type { HealthChecks } from './health.ts';
import { isActive, volumesOf } from './record.ts';
import { shouldStartAtBoot } from './restart-policy.ts';
import type { Starter } from './starter.ts';
import type { ContainerTable } from './table.ts';
import type { Volumes } from './volumes.ts';

/** What Docker reports for a process whose end nobody saw. */
const LOST_EXIT_CODE = 255;

export interface AdoptionComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly netdriver: NetDriverApi;
  readonly database: EngineDatabase;
  readonly table: ContainerTable;
  readonly starter: Starter;
  readonly exits: ExitHandler;
  readonly health: HealthChecks;
  readonly volumes: Volumes;
}

export interface AdoptionInit {
  readonly containersDir: string;
  readonly ioDir: string;
  /** On containers that are ours. */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Takes over what an earlier daemon left: running containers go on being served, ended ones get
 * their exit code, and what was only half made is removed. Resolves with the containers that their
 * restart policy wants started.
 */
export async function adopt(
  components: AdoptionComponents,
  init: AdoptionInit,
): Promise<ContainerEntry[]> {
  const { database, netdriver, runtime, table } = components;
  const [records, tasks, defined] = await Promise.all([
    database.containers(),
    runtime.tasks.list(),
    runtime.tasks.defined(init.labels),
  ]);
  for (const record of records) table.restore(new ContainerEntry(record));
  const taskOf = new Map(tasks.map((task) => [task.containerId, task]));
  const specOf = new Map(defined.map(({ id, spec }) => [id, spec]));
  const running = table.all().filter((entry) => {
    const status = taskOf.get(entry.id)?.status;
    return isActive(entry.record) && (status === 'running' || status === 'paused');
  });
  await netdriver.start(running.flatMap(({ record }) => (record.sandbox ? [record.sandbox] : [])));
  const adopted = new Set(running);
  await Promise.all(
    table.all().map(async (entry) => {
      const task = taskOf.get(entry.id);
      const spec = specOf.get(entry.id);
      if (adopted.has(entry) && task && spec) await resume(components, entry, task, spec);
      else await settle(components, entry, task);
    }),
  );
  await removeStrays(components, init, defined, taskOf);
  return table.all().filter((entry) => entry.restartDelayMs > 0);
}

async function resume(
  components: AdoptionComponents,
  entry: ContainerEntry,
  task: TaskInfo,
  spec: OciSpec,
): Promise<void> {
  const { exits, health, starter, table, volumes } = components;
  await volumes.acquire(volumesOf(entry.record), entry.id);
  const io = starter.io(entry.record);
  const log = starter.openLog(entry.record);
  starter.connect(entry, io, log, { fresh: false });
  starter.connectInput(entry, io);
  const run = exits.watch(entry, { io, log, spec });
  entry.run = run;
  const status = task.status === 'paused' ? 'paused' : 'running';
  await table.updateState(entry, { status, pid: task.pid });
  if (status === 'running') await health.resume(entry);
  run.announce();
}

/** Records the end of a container that ran when it was last seen. */
async function settle(
  components: AdoptionComponents,
  entry: ContainerEntry,
  task: TaskInfo | undefined,
): Promise<void> {
  const { clock, exits, runtime, starter, table } = components;
  const { status } = entry.record.state;
  const wasActive = isActive(entry.record) || status === 'restarting';
  if (task) {
    const ended = task.status === 'stopped' ? await runtime.tasks.wait(entry.id) : undefined;
    if (!ended) await runtime.tasks.purge(entry.id);
    if (isActive(entry.record)) {
      const exit = ended ?? { exitCode: LOST_EXIT_CODE, exitedAt: clock.now() };
      const log = starter.openLog(entry.record);
      const io = starter.io(entry.record);
      if (io.exist()) starter.connect(entry, io, log, { fresh: false });
      await exits.finish(entry, exit, { io, log }, { restart: false });
    }
  } else if (isActive(entry.record)) {
    const exit = { exitCode: LOST_EXIT_CODE, exitedAt: clock.now() };
    await exits.finish(entry, exit, undefined, { restart: false });
  } else if (status === 'restarting' || status === 'removing') {
    await table.updateState(entry, { status: status === 'removing' ? 'dead' : 'exited' });
  }
  if (shouldStartAtBoot(entry.record, wasActive)) entry.restartDelayMs = 1;
}

/** Containers, snapshots and files whose record was never written, or is gone. */
async function removeStrays(
  components: AdoptionComponents,
  init: AdoptionInit,
  defined: readonly { id: string }[],
  taskOf: ReadonlyMap<string, TaskInfo>,
): Promise<void> {
  const { logger, runtime, table } = components;
  const strays = defined.filter(({ id }) => !table.byId(id));
  for (const { id } of strays) {
    logger.info({ id }, 'removing a container that was only half made');
    if (taskOf.has(id)) await runtime.tasks.purge(id);
    await runtime.tasks.undefine(id);
  }
  for (const key of await runtime.snapshots.keys(init.labels)) {
    if (!table.byId(key)) await runtime.snapshots.remove(key);
  }
  for (const dir of [init.containersDir, init.ioDir]) {
    for (const id of await readdir(dir).catch(() => [])) {
      if (!table.byId(id)) await rm(join(dir, id), { recursive: true, force: true });
    }
  }
}
