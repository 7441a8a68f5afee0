/**
 * The only manager of a cluster: the real thing, on a real directory. It is asked to make and remove
 * configs, to lock and to unlock itself, to take another unlock key; it takes snapshots, compacts its
 * log, renews its certificate. It says what was acknowledged, and is killed where it was told to.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../common/clock.ts';
import { isSwarmError } from '../../common/errors.ts';
import { silentLogger } from '../../common/logger.ts';
import { systemRandom } from '../../common/random.ts';
import { formatUnlockKey, unlockKeyOf } from '../../manager/ca/index.ts';
import { Consensus } from '../../manager/consensus/index.ts';
import {
  Manager,
  type ManagerMode,
  parseUnlockKey,
  readManagerKeys,
  SecurityConfig,
} from '../../manager/index.ts';
import { ClusterSpec, NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import { ChildLife } from './child-life.ts';
import { readJournal } from './journal.ts';
import type { ManagerTask } from './tasks.ts';

const PADDING = 'x'.repeat(200_000);
const WRITERS = 4;
const ROUNDS_MAX = 4;
const NO_ROTATION = { workerJoinToken: false, managerJoinToken: false, managerUnlockKey: false };

const life = new ChildLife<ManagerTask>();
const { task, journal } = life;
const components = {
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
  remotes: () => [task.addr],
};
let lastKey: string | undefined;
await life.run(live);

async function live(): Promise<void> {
  const manager = await open();
  manager.subscribe(() => noteKey(manager));
  await manager.start();
  noteKey(manager);
  const found = manager.readLocal((tx) => [...tx.all('config')].map(nameOf));
  life.announce(found, keyOf(manager));
  const present = new Set(found);
  // A point that was not reached may be in what comes next.
  for (let round = 0; round === 0 || (task.point && round < ROUNDS_MAX); round++) {
    await work(manager, present, task.firstName + round * task.operations);
    await settled(manager);
  }
}

async function open(): Promise<Manager> {
  const { stateDir } = task;
  const opened = task.isNew ? undefined : await load();
  const securityConfig =
    opened?.securityConfig ?? (await SecurityConfig.bootstrap(components, { stateDir }));
  const mode: ManagerMode = opened
    ? { type: 'restart' }
    : {
        type: 'bootstrap',
        spec: ClusterSpec.fromPartial({
          annotations: { name: 'default' },
          raft: { snapshotInterval: 12, logEntriesForSlowFollowers: 4 },
        }),
        availability: NodeSpec_Availability.ACTIVE,
        defaultAddressPool: [],
        subnetSize: 0,
        dataPathPort: 0,
      };
  const { openLogDb } = life;
  const openLog: typeof Consensus.open = (own, init) => Consensus.open({ ...own, openLogDb }, init);
  return new Manager(
    { ...components, securityConfig, keys: opened?.keys, openLog },
    { stateDir, listenAddr: task.addr, advertiseAddr: task.addr, mode },
  );
}

/** As a daemon does, and a user who knows the unlock keys of late. */
async function load() {
  const { stateDir } = task;
  for (const unlockKey of knownKeys()) {
    try {
      const keys = await readManagerKeys(components, stateDir, unlockKey);
      const passphrase = keys?.passphrase;
      const securityConfig = await SecurityConfig.load(components, { stateDir, passphrase });
      if (!securityConfig) throw new Error('the certificate is gone');
      return { keys, securityConfig };
    } catch (error) {
      if (!isSwarmError(error, 'SWM_LOCKED', 'SWM_UNAUTHENTICATED')) throw error;
    }
  }
  throw new Error('no unlock key that was ever told opens this manager');
}

/**
 * None at all, since it may not be locked yet, or any more, and the newest first. The disk may be some
 * keys behind: it follows the cluster one step after the other.
 */
function knownKeys(): (Uint8Array | undefined)[] {
  const keys = readJournal(task.journal).flatMap((line) => (line.type === 'key' ? [line] : []));
  return [
    undefined,
    ...keys.reverse().flatMap(({ unlockKey }) => (unlockKey ? [parseUnlockKey(unlockKey)] : [])),
  ];
}

/** The cluster has it before anything on disk is locked with it. */
function noteKey(manager: Manager): void {
  const unlockKey = keyOf(manager);
  if (unlockKey === lastKey) return;
  lastKey = unlockKey;
  journal.write({ type: 'key', unlockKey });
}

function keyOf(manager: Manager): string {
  const [cluster] = manager.readLocal((tx) => [...tx.all('cluster')]);
  const key = cluster && unlockKeyOf(cluster);
  return key ? formatUnlockKey(key) : '';
}

async function work(manager: Manager, present: Set<string>, first: number): Promise<void> {
  let next = first;
  const last = next + task.operations;
  const writer = async () => {
    while (next < last) {
      const n = next++;
      if (n % 9 === 4) await changeLock(manager, n);
      else if (n % 3 === 1) await remove(manager, present);
      else await create(manager, `c${n}`, present);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

async function create(manager: Manager, name: string, present: Set<string>): Promise<void> {
  journal.write({ type: 'try', name, present: true });
  // Some are large, so that a snapshot has several chunks.
  const data = Buffer.from(Number(name.slice(1)) % 10 === 0 ? name + PADDING : name);
  await manager.control.createConfig({
    annotations: { name, labels: {}, indices: [] },
    data,
    templating: undefined,
  });
  journal.write({ type: 'done', name, present: true });
  present.add(name);
}

async function remove(manager: Manager, present: Set<string>): Promise<void> {
  const [name] = present;
  if (name === undefined || present.size < 8) return;
  present.delete(name);
  const found = manager.readLocal((tx) => [...tx.all('config')].find((c) => nameOf(c) === name));
  if (!found) throw new Error(`${name} is not there any more`);
  journal.write({ type: 'try', name, present: false });
  await manager.control.removeConfig(found.id);
  journal.write({ type: 'done', name, present: false });
}

/** On, another key, off, and so on. */
async function changeLock(manager: Manager, n: number): Promise<void> {
  const [cluster] = manager.readLocal((tx) => [...tx.all('cluster')]);
  if (!cluster?.spec || !cluster.meta?.version) throw new Error('the cluster is gone');
  const locked = cluster.spec.encryptionConfig?.autoLockManagers ?? false;
  const turn = Math.floor(n / 9) % 3;
  const encryptionConfig = { autoLockManagers: turn !== 2 };
  const rotation = { ...NO_ROTATION, managerUnlockKey: turn === 1 && locked };
  try {
    const { index } = cluster.meta.version;
    await manager.control.updateCluster(index, { ...cluster.spec, encryptionConfig }, rotation);
  } catch (error) {
    // Two writers at a time.
    if (!isSwarmError(error, 'SWM_OUT_OF_SEQUENCE')) throw error;
  }
}

/** What is on disk is locked as the cluster says. */
async function settled(manager: Manager): Promise<void> {
  const isSettled = () => {
    const held = manager.heldUnlockKey;
    return (held ? formatUnlockKey(held) : '') === keyOf(manager);
  };
  for (let i = 0; !isSettled(); i++) {
    if (i === 500) throw new Error('what is on disk is not locked as the cluster says');
    await sleep(20);
  }
}

function nameOf(config: { spec?: { annotations?: { name: string } | undefined } | undefined }) {
  return config.spec?.annotations?.name ?? '';
}
