import { SwarmError } from '../../../common/errors.ts';
import { type Random, randomInt } from '../../../common/random.ts';
import { Config } from '../../../proto/gen/swarm/objects.ts';
import type { Recorded, RegisterOperation } from '../checks/linearizability.ts';
import { checkRegister } from '../checks/linearizability.ts';
import type { SimNetwork } from '../world/network.ts';
import { Violation, type World } from '../world/world.ts';
import type { ManagerLife } from './manager-life.ts';
import type { SimManager } from './sim-manager.ts';

export interface RegisterClientsComponents {
  readonly world: World;
  readonly network: SimNetwork;
  readonly managers: () => readonly SimManager[];
}

const KEYS = 3;
const CLIENTS = 5;
const THINK_MS = [5, 800] as const;
/** After so long without an answer a client gives up, and does not know what became of it. */
const PATIENCE_MS = 3_000;

type Outcome = { readonly value?: string } | 'unknown' | 'nothing';

/** It cannot have taken effect: it never became a proposal. */
class Refused extends Error {}

/**
 * Clients that read, write and swap a few registers, and add things that must not get lost. Each
 * register is a config in the store, whose labels hold the value.
 */
export class RegisterClients {
  readonly #components: RegisterClientsComponents;
  readonly #random: Random;
  readonly #histories = new Map<string, Recorded[]>();
  readonly #last = new Map<string, string>();
  readonly #acknowledged = new Set<string>();
  readonly #attempted = new Set<string>();
  #stamp = 0;
  #values = 0;
  #stopped = false;

  constructor(components: RegisterClientsComponents) {
    this.#components = components;
    this.#random = components.world.random();
    for (let i = 0; i < KEYS; i++) this.#histories.set(`reg-${i}`, []);
  }

  get operations(): number {
    let sum = this.#acknowledged.size;
    for (const history of this.#histories.values()) sum += history.length;
    return sum;
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  start(): void {
    for (let i = 0; i < CLIENTS; i++) this.#next(`c${i}`);
  }

  /** What is under way goes on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Throws when what the clients saw cannot have been. */
  judge(life: ManagerLife): void {
    for (const [key, history] of this.#histories) {
      const verdict = checkRegister(history, '');
      if (verdict.ok) continue;
      const stuck = verdict.stuck.map((each) => JSON.stringify(each)).join(' ');
      throw new Violation(
        `${key}: no order explains ${history.length} operations; after ${verdict.done}: ${stuck}`,
      );
    }
    const ids = new Set(life.store.view((tx) => Array.from(tx.all('config'), ({ id }) => id)));
    for (const id of this.#acknowledged) {
      if (!ids.has(id)) throw new Violation(`${id} was acknowledged, and is lost`);
    }
    for (const id of ids) {
      if (id.startsWith('add-') && !this.#attempted.has(id)) {
        throw new Violation(`${id} is there, and nobody made it`);
      }
    }
  }

  #next(client: string): void {
    const { world } = this.#components;
    world.schedule(randomInt(this.#random, ...THINK_MS), () => {
      if (this.#stopped) return;
      this.#operate(client).then(
        () => this.#next(client),
        (error) => world.fail(error),
      );
    });
  }

  async #operate(client: string): Promise<void> {
    const dice = this.#random.float();
    if (dice < 0.2) return this.#add(client);
    const key = `reg-${randomInt(this.#random, 0, KEYS - 1)}`;
    const kind = dice < 0.6 ? 'read' : dice < 0.85 ? 'write' : 'swap';
    const value = kind === 'read' ? '' : `${++this.#values}`;
    const expected = this.#last.get(key) ?? '';
    const called = ++this.#stamp;
    const outcome = await this.#ask(client, `${kind} ${key}`, (life) => {
      if (kind === 'read') return read(life, key);
      return write(life, key, kind === 'swap' ? expected : undefined, value);
    });
    if (outcome === 'nothing' || (outcome === 'unknown' && kind === 'read')) return;
    const seen = outcome === 'unknown' ? value : (outcome.value ?? value);
    if (outcome !== 'unknown') this.#last.set(key, seen);
    const operation: RegisterOperation =
      kind === 'swap' ? { kind, expected, value } : { kind, value: seen };
    const returned = outcome === 'unknown' ? Infinity : ++this.#stamp;
    this.#histories.get(key)!.push({ called, returned, operation });
  }

  async #add(client: string): Promise<void> {
    const id = `add-${++this.#values}`;
    this.#attempted.add(id);
    const outcome = await this.#ask(client, `add ${id}`, async (life) => {
      const spec = { annotations: { name: id } };
      await refusing(() =>
        life.store.update((tx) => tx.create('config', Config.fromPartial({ id, spec }))),
      );
      return undefined;
    });
    if (typeof outcome === 'object') this.#acknowledged.add(id);
  }

  /** Asks one manager, over the network; mostly one that seems to lead. */
  async #ask(
    client: string,
    what: string,
    handle: (life: ManagerLife) => Promise<string | undefined>,
  ): Promise<Outcome> {
    const { world } = this.#components;
    const target = this.#pick();
    if (!target) return 'nothing';
    const outcome = await this.#call(client, target, handle);
    const text = typeof outcome === 'object' ? `ok ${outcome.value ?? ''}` : outcome;
    world.log(client, 'client', `${what} at ${target.name}: ${text}`);
    return outcome;
  }

  #pick(): SimManager | undefined {
    const up = this.#components.managers().filter(({ running }) => running);
    const leading = up.filter(({ consensus }) => consensus?.isLeader);
    const from = leading.length > 0 && this.#random.float() < 0.8 ? leading : up;
    return from[randomInt(this.#random, 0, from.length - 1)];
  }

  /** The way there and back takes time, and either may not lead anywhere. */
  #call(
    client: string,
    { name, life }: SimManager,
    handle: (life: ManagerLife) => Promise<string | undefined>,
  ): Promise<Outcome> {
    const { world, network } = this.#components;
    return new Promise((resolve) => {
      const later = (outcome: Outcome) => {
        world.schedule(network.delay(name, client), () => {
          if (network.isOpen(name, client)) resolve(outcome);
        });
      };
      world.schedule(PATIENCE_MS, () => resolve('unknown'));
      world.schedule(network.delay(client, name), () => {
        if (!life || !network.isOpen(client, name)) return;
        life.process.deliver(() => {
          handle(life).then(
            (value) => later(value === undefined ? {} : { value }),
            (error) => {
              // Only errors of the product are outcomes.
              if (error instanceof Refused) later('nothing');
              else if (error instanceof SwarmError) later('unknown');
              else world.fail(error);
            },
          );
        });
      });
    });
  }
}

async function read({ manager }: ManagerLife, key: string): Promise<string> {
  if (!manager) throw new Refused();
  return manager.read((tx) => tx.get('config', key)?.spec?.annotations?.labels['value'] ?? '');
}

async function write(
  life: ManagerLife,
  key: string,
  expected: string | undefined,
  value: string,
): Promise<undefined> {
  await refusing(() =>
    life.store.update((tx) => {
      const old = tx.get('config', key);
      const before = old?.spec?.annotations?.labels['value'] ?? '';
      if (expected !== undefined && before !== expected) throw new Refused();
      const spec = { annotations: { name: key, labels: { value } } };
      const config = Config.fromPartial({ ...old, id: key, spec });
      if (old) tx.update('config', config);
      else tx.create('config', config);
    }),
  );
}

/** What this manager refuses at once has no effect; everything else may have. */
async function refusing(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'SWM_NOT_LEADER') throw new Refused();
    if (error instanceof Error && error.message.includes('prepared')) throw new Refused();
    throw error;
  }
}
