import { errorMessage } from '../../../common/errors.ts';
import { type Random, randomInt, shuffled } from '../../../common/random.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { GOOD_LINK, type LinkQuality } from '../world/network.ts';
import type { World } from '../world/world.ts';
import type { ManagerLife } from './manager-life.ts';
import { isDamage, NO_SPACE, RottenDisk } from './rotten-disk.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimManager } from './sim-manager.ts';
import type { SimWorker } from './sim-worker.ts';

/** Between two faults. */
const PAUSE_MS = [100, 2_500] as const;
const OUTAGE_MS = [50, 8_000] as const;
const SLOWNESS = [10, 60, 1_000, 5_000];
/** After the faults a host may be lost for good: then. */
const LOSS_MS = [0, 3_000] as const;
const MEMBERS_MAX = 5;
const MEMBERS_MIN = 3;

const QUALITIES: readonly (readonly [name: string, LinkQuality])[] = [
  ['good', GOOD_LINK],
  ['slow', { delay: [10, 80], drop: 0, duplicate: 0, reorder: 0 }],
  ['lossy', { delay: [0.2, 5], drop: 0.1, duplicate: 0.02, reorder: 0.05 }],
  ['chaotic', { delay: [0.2, 150], drop: 0.2, duplicate: 0.2, reorder: 0.3 }],
];

/** A part of the kinds of faults, drawn for each run, so that rare combinations come up; or all of them. */
export type FaultChoice = 'drawn' | 'all';

export interface FaultsInit {
  readonly choice: FaultChoice;
}

type Host = SimManager | SimWorker;
type Fault = readonly [weight: number, inflict: () => void];

/** Has something go wrong every few seconds; what it breaks it mends after a while. */
export class Faults {
  readonly #world: World;
  readonly #cluster: SimCluster;
  readonly #random: Random;
  readonly #faults: readonly Fault[];
  readonly #mending = new Set<() => void>();
  readonly #lost = new Set<Host>();
  readonly #rotten: RottenDisk;
  #stopped = false;

  constructor(
    components: { readonly world: World; readonly cluster: SimCluster },
    { choice }: FaultsInit,
  ) {
    this.#world = components.world;
    this.#cluster = components.cluster;
    this.#random = this.#world.random();
    this.#rotten = new RottenDisk(components);
    const kinds = this.#kinds();
    this.#faults = choice === 'all' ? kinds : this.#draw(kinds);
  }

  #kinds(): readonly Fault[] {
    return [
      [3, () => this.#crash(false)],
      [3, () => this.#crash(true)],
      [1, () => this.#crashAll()],
      [2, () => this.#stop()],
      [3, () => this.#freeze()],
      [3, () => this.#isolate()],
      [2, () => this.#split()],
      [3, () => this.#cutOneWay()],
      [2, () => this.#changeQuality()],
      [2, () => this.#slowDisk()],
      [1, () => this.#failDisk()],
      [1, () => this.#rot()],
      [2, () => this.#transfer()],
      [1, () => this.#join()],
      [1, () => this.#demote()],
      [2, () => this.#crashWorker()],
      [1, () => this.#stopWorker()],
      [3, () => this.#exitContainer()],
      [1, () => this.#breakRuntime()],
    ];
  }

  start(): void {
    this.#world.schedule(randomInt(this.#random, ...PAUSE_MS), () => {
      if (this.#stopped) return;
      this.#inflict();
      this.start();
    });
  }

  /** Hosts that never come back. */
  get lost(): ReadonlySet<Host> {
    return this.#lost;
  }

  /** Ends them all: everything is mended and runs, but for a host or two that may be lost for good. */
  heal(): void {
    this.#stopped = true;
    for (const mend of [...this.#mending]) mend();
    this.#cluster.network.heal();
    this.#cluster.network.quality = GOOD_LINK;
    this.#log('heal', '');
    this.#startAll();
    this.#world.schedule(randomInt(this.#random, ...LOSS_MS), () => this.#loseSome());
  }

  #loseSome(): void {
    const { workers } = this.#cluster;
    if (workers.length > 1 && this.#random.float() < 0.5) this.#lose(this.#pick(workers)!);
    const spare = this.#spareManagers();
    if (spare.length > 0 && this.#random.float() < 0.3) this.#lose(this.#pick(spare)!);
  }

  /**
   * Those without whom there still is a quorum, whoever one asks and whoever is being demoted, and
   * without whom each worker knows a manager: one that never met another could not find them.
   */
  #spareManagers(): readonly SimManager[] {
    if (this.#rotten.isPending) return [];
    const views = this.#cluster.managers.flatMap(({ life }) =>
      life?.ready && !life.process.ended ? [votersOf(life)] : [],
    );
    if (views.length < 2 || views.some(({ length }) => length < MEMBERS_MIN)) return [];
    const votes = (nodeId: string) => views.every((voters) => voters.includes(nodeId));
    const isFoundWithout = (nodeId: string) =>
      this.#cluster.workers.every(({ peers }) =>
        peers.some((peer) => peer.nodeId !== nodeId && votes(peer.nodeId)),
      );
    return this.#cluster.managers.filter(({ name }) => votes(name) && isFoundWithout(name));
  }

  #lose(host: Host): void {
    this.#lost.add(host);
    host.crash(true);
    this.#log('lost', host.name);
  }

  /** What ends by itself after the faults, such as a disk that failed, is started again too. */
  keepAlive(): void {
    this.#startAll();
  }

  #draw(faults: readonly Fault[]): readonly Fault[] {
    const drawn = faults.filter(() => this.#random.float() < 0.7);
    return drawn.length > 0 ? drawn : faults;
  }

  #inflict(): void {
    const total = this.#faults.reduce((sum, [weight]) => sum + weight, 0);
    let dice = this.#random.float() * total;
    for (const [weight, inflict] of this.#faults) {
      dice -= weight;
      if (dice >= 0) continue;
      inflict();
      return;
    }
  }

  #startAll(): void {
    for (const manager of this.#cluster.managers) this.#restart(manager);
    for (const worker of this.#cluster.workers) if (!this.#lost.has(worker)) worker.start();
  }

  #restart(manager: SimManager): void {
    if (manager.removed || manager.running || this.#lost.has(manager)) return;
    if (isDamage(manager.failure)) return;
    if (!this.#stopped && this.#random.float() < 0.3) this.#slowReads(manager);
    manager.start();
  }

  /** Its state takes seconds to load, in which the others talk to it already. */
  #slowReads(manager: SimManager): void {
    manager.disk.readSlowness = 10_000;
    this.#log('slow', `reads of ${manager.name}`);
    this.#later(() => {
      manager.disk.readSlowness = 1;
    });
  }

  #crash(powerLoss: boolean): void {
    const manager = this.#anyRunning();
    if (!manager) return;
    manager.crash(powerLoss);
    this.#later(() => this.#restart(manager));
  }

  #crashAll(): void {
    for (const manager of this.#cluster.managers) {
      if (!manager.running) continue;
      manager.crash(true);
      this.#later(() => this.#restart(manager));
    }
  }

  #stop(): void {
    const manager = this.#anyRunning();
    if (!manager?.life?.ready) return;
    manager.stop().catch((error) => this.#world.fail(error));
    this.#later(() => this.#restart(manager));
  }

  #freeze(): void {
    const worker = this.#random.float() < 0.2 ? this.#pick(this.#cluster.workers) : undefined;
    const process = worker ? worker.process : this.#anyRunning()?.life?.process;
    if (!process || process.frozen || process.ended) return;
    process.freeze();
    this.#log('freeze', process.name);
    this.#later(() => {
      this.#log('thaw', process.name);
      process.thaw();
    });
  }

  #isolate(): void {
    const host = this.#pick(this.#cluster.hosts);
    const others = this.#cluster.hosts.filter((each) => each !== host);
    if (host) this.#cut('isolate', [[host], others], true);
  }

  #split(): void {
    this.#cut('split', this.#halves(), true);
  }

  #cutOneWay(): void {
    this.#cut('one-way', this.#halves(), false);
  }

  #halves(): [Host[], Host[]] {
    const hosts = shuffled(this.#random, this.#cluster.hosts);
    const at = randomInt(this.#random, 1, hosts.length - 1);
    return [hosts.slice(0, at), hosts.slice(at)];
  }

  #cut(kind: string, [a, b]: [Host[], Host[]], bothWays: boolean): void {
    const { network } = this.#cluster;
    const pairs = a.flatMap((from) => b.map((to) => [from.name, to.name] as const));
    const all = bothWays ? [...pairs, ...pairs.map(([x, y]) => [y, x] as const)] : pairs;
    for (const [from, to] of all) network.block(from, to);
    this.#log(kind, `${names(a)} ${bothWays ? '<>' : '>'} ${names(b)}`);
    this.#later(() => {
      this.#log('mend', `${names(a)} ${names(b)}`);
      for (const [from, to] of all) network.unblock(from, to);
    });
  }

  #changeQuality(): void {
    const [name, quality] = QUALITIES[randomInt(this.#random, 0, QUALITIES.length - 1)]!;
    this.#cluster.network.quality = quality;
    this.#log('quality', name);
  }

  #slowDisk(): void {
    const manager = this.#any();
    if (!manager) return;
    const times = SLOWNESS[randomInt(this.#random, 0, SLOWNESS.length - 1)]!;
    manager.disk.slowness = times;
    this.#log('slow', `disk of ${manager.name}, ${times} times`);
    this.#later(() => {
      manager.disk.slowness = 1;
    });
  }

  #failDisk(): void {
    const manager = this.#anyRunning();
    if (!manager) return;
    manager.disk.setFailing(new Error(NO_SPACE));
    this.#log('full', `disk of ${manager.name}`);
    this.#later(() => {
      manager.disk.setFailing(undefined);
      this.#restart(manager);
    });
  }

  /** A bit on the disk of a manager changes while it is off. */
  #rot(): void {
    const manager = this.#anyRunning();
    if (!manager?.life?.ready || !this.#spareManagers().includes(manager)) return;
    this.#rotten.damage(manager);
    this.#later(() => this.#restart(manager));
  }

  #transfer(): void {
    const leader = this.#cluster.leader();
    this.#log('hand-on', leader?.name ?? '-');
    leader?.consensus?.transferLeadership().catch((error) => {
      this.#log('hand-on', errorMessage(error));
    });
  }

  #join(): void {
    const members = this.#cluster.managers.filter(({ removed }) => !removed);
    if (members.length >= MEMBERS_MAX) return;
    this.#cluster.join().catch((error) => this.#log('join', errorMessage(error)));
  }

  #demote(): void {
    const members = this.#cluster.leader()?.consensus?.members() ?? [];
    if (members.length <= MEMBERS_MIN) return;
    const victim = members[randomInt(this.#random, 0, members.length - 1)]!;
    this.#log('demote', victim.nodeId);
    this.#cluster.demote(victim.nodeId).catch((error) => this.#log('demote', errorMessage(error)));
  }

  #crashWorker(): void {
    const worker = this.#pick(this.#cluster.workers);
    if (!worker) return;
    worker.crash(this.#random.float() < 0.5);
    this.#later(() => worker.start());
  }

  #stopWorker(): void {
    const worker = this.#pick(this.#cluster.workers);
    if (!worker) return;
    worker.stop().catch((error) => this.#world.fail(error));
    this.#later(() => worker.start());
  }

  #exitContainer(): void {
    const worker = this.#pick(this.#cluster.workers);
    const task = worker?.engine.exitOne(randomInt(this.#random, 0, 1));
    if (task) this.#log('exit', `${worker?.name} ${task}`);
  }

  #breakRuntime(): void {
    const worker = this.#pick(this.#cluster.workers);
    if (!worker) return;
    worker.engine.failures = 0.5;
    this.#log('runtime', `of ${worker.name} fails`);
    this.#later(() => {
      worker.engine.failures = 0;
    });
  }

  #any(): SimManager | undefined {
    return this.#pick(this.#cluster.managers);
  }

  /** Half of the time the leader, if there is one: with it most can go wrong. */
  #anyRunning(): SimManager | undefined {
    const leader = this.#cluster.leader();
    if (leader && this.#random.float() < 0.5) return leader;
    return this.#pick(this.#cluster.managers.filter(({ running }) => running));
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[randomInt(this.#random, 0, from.length - 1)];
  }

  #later(mend: () => void): void {
    const once = () => {
      if (this.#mending.delete(once)) mend();
    };
    this.#mending.add(once);
    this.#world.schedule(randomInt(this.#random, ...OUTAGE_MS), once);
  }

  #log(kind: string, details: string): void {
    this.#world.log('-', kind, details);
  }
}

/** The members that vote and are to go on doing so, as this one knows. */
function votersOf({ consensus, store }: ManagerLife): readonly string[] {
  const members = consensus?.members() ?? [];
  const isToStay = (nodeId: string) =>
    store.view((tx) => tx.get('node', nodeId))?.spec?.desiredRole === NodeRole.MANAGER;
  return members.flatMap(({ nodeId, learner }) => (learner || !isToStay(nodeId) ? [] : [nodeId]));
}

function names(hosts: readonly Host[]): string {
  return hosts.map(({ name }) => name).join(',');
}
