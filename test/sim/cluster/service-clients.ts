import { errorMessage, SwarmError } from '../../../common/errors.ts';
import { type Random, randomInt } from '../../../common/random.ts';
import type { ReadTx } from '../../../manager/store/types.ts';
import type { ControlApi } from '../../../manager/types.ts';
import { KeyRotation } from '../../../proto/gen/swarm/control.ts';
import type { Node, Service } from '../../../proto/gen/swarm/objects.ts';
import {
  NodeSpec_Availability as Availability,
  NetworkSpec,
  ServiceSpec,
} from '../../../proto/gen/swarm/specs.ts';
import { Violation, type World } from '../world/world.ts';
import type { ManagerLife } from './manager-life.ts';
import type { SimCluster } from './sim-cluster.ts';

const SERVICES_MAX = 4;
const NETWORKS_MAX = 3;
const REPLICAS_MAX = 5;
const PAUSE_MS = [200, 4_000] as const;

type Action = readonly [weight: number, what: string, act: (control: ControlApi) => Promise<void>];

/** Mostly users ask the leader; other managers pass on what they are asked. */
const AT_LEADER = 0.7;

/**
 * Users who make, change and remove services and networks, drain nodes, and lock and unlock the
 * managers.
 */
export class ServiceClients {
  readonly #world: World;
  readonly #cluster: SimCluster;
  readonly #random: Random;
  /** Acknowledged, and never asked to be removed. */
  readonly #kept = new Set<string>();
  /** Some see a service, and remove it, before whoever made it hears that it is there. */
  readonly #removed = new Set<string>();
  #names = 0;
  #stopped = false;
  #done = 0;

  constructor(components: { readonly world: World; readonly cluster: SimCluster }) {
    this.#world = components.world;
    this.#cluster = components.cluster;
    this.#random = this.#world.random();
  }

  get operations(): number {
    return this.#done;
  }

  start(): void {
    this.#world.schedule(randomInt(this.#random, ...PAUSE_MS), () => {
      if (this.#stopped) return;
      this.#act();
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Asks for every node to be used again; to be repeated until it is so. */
  activateAll(): void {
    const life = this.#cluster.leader()?.life;
    for (const node of this.#all(life, (tx) => tx.all('node'))) {
      if (node.spec?.availability === Availability.ACTIVE) continue;
      const version = node.meta?.version?.index ?? 0;
      const active = { ...node.spec!, availability: Availability.ACTIVE };
      life!.manager!.control.updateNode(node.id, version, active).catch(() => undefined);
    }
  }

  /** Throws when a service that was acknowledged is gone. */
  judge(life: ManagerLife): void {
    for (const id of this.#kept) {
      if (life.store.view((tx) => tx.get('service', id))) continue;
      throw new Violation(`service ${id} was acknowledged, and is lost`);
    }
  }

  #act(): void {
    const life = this.#anyManager();
    if (!life) return;
    const actions = this.#actions(life);
    let dice = this.#random.float() * actions.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, what, act] of actions) {
      dice -= weight;
      if (dice >= 0) continue;
      this.#perform(life, what, act);
      return;
    }
  }

  #perform(life: ManagerLife, what: string, act: Action[2]): void {
    const log = (outcome: string) =>
      this.#world.log('user', 'control', `${what} at ${life.host.name}: ${outcome}`);
    act(life.manager!.control).then(
      () => {
        this.#done++;
        log('ok');
      },
      (error) => {
        log(errorMessage(error));
        if (!(error instanceof SwarmError) && life.consensus) this.#world.fail(error);
      },
    );
  }

  #actions(life: ManagerLife): readonly Action[] {
    const services = this.#all(life, (tx) => tx.all('service'));
    const networks = this.#all(life, (tx) => tx.all('network')).filter(
      ({ spec }) => spec?.driverConfig?.name === 'overlay' && !spec.ingress,
    );
    const nodes = this.#all(life, (tx) => tx.all('node')).filter(({ id }) => id.startsWith('n'));
    const service = this.#pick(services);
    const network = this.#pick(networks);
    const node = this.#pick(nodes);
    const actions: Action[] = [];
    if (services.length < SERVICES_MAX) {
      const spec = this.#newSpec(networks.map(({ id }) => id));
      const name = spec.annotations?.name ?? '';
      actions.push([
        4,
        `create ${name}`,
        async (control) => this.#keep(await control.createService(spec)),
      ]);
    }
    if (networks.length < NETWORKS_MAX) actions.push([1, 'network', (c) => this.#createNetwork(c)]);
    if (network) actions.push([1, `rm ${network.id}`, (c) => c.removeNetwork(network.id)]);
    if (service) actions.push(...this.#changes(service));
    if (node) actions.push(this.#availability(node));
    actions.push(...this.#locking(life));
    return actions;
  }

  #changes(service: Service): Action[] {
    const { id } = service;
    const version = service.meta?.version?.index ?? 0;
    const spec = service.spec as ServiceSpec;
    const scaled: ServiceSpec = {
      ...spec,
      mode:
        spec.mode?.$case === 'replicated'
          ? {
              $case: 'replicated',
              replicated: { replicas: randomInt(this.#random, 0, REPLICAS_MAX) },
            }
          : spec.mode,
    };
    const updated = inDir(spec, `/${randomInt(this.#random, 1, 3)}`);
    return [
      [3, `scale ${id}`, async (c) => void (await c.updateService(id, version, scaled, false))],
      [3, `update ${id}`, async (c) => void (await c.updateService(id, version, updated, false))],
      [1, `rollback ${id}`, async (c) => void (await c.updateService(id, version, spec, true))],
      [
        1,
        `rm ${id}`,
        (c) => {
          this.#kept.delete(id);
          this.#removed.add(id);
          return c.removeService(id);
        },
      ],
    ];
  }

  #availability(node: Node): Action {
    const choices = [
      Availability.ACTIVE,
      Availability.ACTIVE,
      Availability.PAUSE,
      Availability.DRAIN,
    ];
    const availability = this.#pick(choices)!;
    const version = node.meta?.version?.index ?? 0;
    const spec = { ...node.spec!, availability };
    return [
      1,
      `${node.id} ${availability}`,
      async (c) => void (await c.updateNode(node.id, version, spec)),
    ];
  }

  /** Managers are locked, with a new key or another one, and unlocked. */
  #locking(life: ManagerLife): Action[] {
    const [cluster] = this.#all(life, (tx) => tx.all('cluster'));
    if (!cluster?.spec) return [];
    const version = cluster.meta?.version?.index ?? 0;
    const locked = cluster.spec.encryptionConfig?.autoLockManagers ?? false;
    const change = async (control: ControlApi, autoLockManagers: boolean, rotate: boolean) => {
      const spec = { ...cluster.spec!, encryptionConfig: { autoLockManagers } };
      const rotation = KeyRotation.fromPartial({ managerUnlockKey: rotate });
      await control.updateCluster(version, spec, rotation);
    };
    if (!locked) return [[2, 'lock', (c) => change(c, true, false)]];
    return [
      [1, 'unlock', (c) => change(c, false, false)],
      [1, 'rotate the unlock key', (c) => change(c, true, true)],
    ];
  }

  async #createNetwork(control: ControlApi): Promise<void> {
    const name = `net-${++this.#names}`;
    const driverConfig = { name: 'overlay' };
    await control.createNetwork(NetworkSpec.fromPartial({ annotations: { name }, driverConfig }));
  }

  #newSpec(networks: readonly string[]): ServiceSpec {
    const random = this.#random;
    const isGlobal = random.float() < 0.2;
    const network = this.#pick(networks);
    const published = random.float();
    const ports = published < 0.3 ? [0] : published < 0.6 ? [30_000 + randomInt(random, 0, 2)] : [];
    return ServiceSpec.fromPartial({
      annotations: { name: `svc-${++this.#names}` },
      mode: isGlobal
        ? { $case: 'global', global: {} }
        : { $case: 'replicated', replicated: { replicas: randomInt(random, 1, REPLICAS_MAX) } },
      task: {
        runtime: { $case: 'container', container: { image: 'busybox' } },
        restart: { condition: 2, delay: { seconds: 1 } },
        networks: network && random.float() < 0.6 ? [{ target: network }] : [],
      },
      endpoint: { ports: ports.map((publishedPort) => ({ targetPort: 80, publishedPort })) },
      update: {
        parallelism: randomInt(random, 0, 2),
        // Continue or roll back: a pause would wait for a user.
        failureAction: random.float() < 0.5 ? 1 : 2,
        monitor: { seconds: 1 },
        order: randomInt(random, 0, 1),
      },
      rollback: { failureAction: 1, monitor: { seconds: 1 } },
    });
  }

  #keep({ id }: Service): void {
    if (!this.#removed.has(id)) this.#kept.add(id);
  }

  #anyManager(): ManagerLife | undefined {
    const leader = this.#cluster.leader()?.life;
    if (this.#random.float() < AT_LEADER) return leader;
    return this.#pick(this.#cluster.managers.filter(({ life }) => life?.ready))?.life;
  }

  #all<T>(life: ManagerLife | undefined, read: (tx: ReadTx) => Iterable<T>): T[] {
    return life ? life.store.view((tx) => [...read(tx)]) : [];
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[randomInt(this.#random, 0, from.length - 1)];
  }
}

function inDir(spec: ServiceSpec, dir: string): ServiceSpec {
  const { task } = spec;
  if (task?.runtime?.$case !== 'container') return spec;
  const container = { ...task.runtime.container, dir };
  return { ...spec, task: { ...task, runtime: { $case: 'container', container } } };
}
