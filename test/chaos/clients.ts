import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, randomInt } from '../../common/random.ts';
import type { Api } from '../bench/support/api.ts';
import type { ErrorsSeen } from './errors-seen.ts';
import type { History } from './history.ts';
import { type Outcome, outcomeOf, outcomeOfError } from './outcomes.ts';

export interface ClientsComponents {
  readonly apis: ReadonlyMap<string, Api>;
  readonly random: Random;
  readonly history: History;
  readonly errors: ErrorsSeen;
  /** The managers that are struck at this moment: what they answer, and when, is listed apart. */
  readonly struck: ReadonlySet<string>;
}

/** At each manager something is added every so often, whatever became of what was added before. */
export const PACE_MS = 100;
export const REGISTERS = 6;
export const INITIAL = 'first';
const CLIENTS_PER_MANAGER = 2;
const THINK_MS = [20, 150] as const;
const READ_SHARE = 0.5;
/** Longer than any answer may take: who waits in vain does not know what became of it. */
const PATIENCE_MS = 15_000;

interface Register {
  readonly name: string;
  readonly id: string;
}

interface Config {
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Name: string; readonly Labels: Record<string, string> };
}

/**
 * Clients of the Docker Engine API at every manager. Some add configs, each with a name of its own;
 * some read and change registers, which are configs whose value is a label. A change names the version
 * that was read before, so it is a compare-and-swap.
 */
export class Clients {
  readonly #components: ClientsComponents;
  /** When an operation that writes was acknowledged, in order; milliseconds of performance.now(). */
  readonly acknowledgedAt: number[] = [];
  #registers: readonly Register[] = [];
  #loops: Promise<void>[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #stopped = false;
  #names = 0;

  constructor(components: ClientsComponents) {
    this.#components = components;
  }

  async start(): Promise<void> {
    const [first] = this.#components.apis.values();
    this.#registers = await Promise.all(
      Array.from({ length: REGISTERS }, async (_, i) => {
        const spec = specOf(`reg-${i}`, INITIAL);
        const { ID } = await first!.call<{ ID: string }>('POST', '/configs/create', spec);
        return { name: spec.Name, id: ID };
      }),
    );
    const hosts = [...this.#components.apis.keys()];
    this.#loops = hosts.flatMap((host, i) => [
      this.#addSteadily(host, (i * PACE_MS) / hosts.length),
      ...Array.from({ length: CLIENTS_PER_MANAGER }, () => this.#useRegisters(host)),
    ]);
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    await Promise.all(this.#underWay);
  }

  /** One read of each register, as the others read. */
  async readAll(host: string): Promise<void> {
    for (const register of this.#registers) await this.#read(host, register);
  }

  async #addSteadily(host: string, delayMs: number): Promise<void> {
    await sleep(delayMs);
    while (!this.#stopped) {
      const adding = this.#add(host);
      this.#underWay.add(adding);
      adding.finally(() => this.#underWay.delete(adding));
      await sleep(PACE_MS);
    }
  }

  async #add(host: string): Promise<void> {
    const name = `add-${++this.#names}`;
    const { history } = this.#components;
    const { outcome } = await this.#send(host, 'POST', '/configs/create', specOf(name, ''));
    history.added(name, outcome.verdict);
  }

  async #useRegisters(host: string): Promise<void> {
    const { random } = this.#components;
    while (!this.#stopped) {
      await sleep(randomInt(random, ...THINK_MS));
      const register = this.#registers[randomInt(random, 0, REGISTERS - 1)]!;
      const read = await this.#read(host, register);
      if (read && random.float() >= READ_SHARE) await this.#swap(host, register, read);
    }
  }

  async #read(host: string, { name, id }: Register): Promise<Config | undefined> {
    const { history } = this.#components;
    const called = history.call();
    const { outcome, body } = await this.#send(host, 'GET', `/configs/${id}`);
    const config = outcome.verdict === 'ok' ? (body as Config) : undefined;
    const value = config?.Spec.Labels['value'] ?? '';
    history.returned(name, called, { kind: 'read', value }, outcome.verdict);
    return config;
  }

  async #swap(host: string, { name, id }: Register, read: Config): Promise<void> {
    const { history } = this.#components;
    const expected = read.Spec.Labels['value'] ?? '';
    const value = `${++this.#names}`;
    const called = history.call();
    const path = `/configs/${id}/update?version=${read.Version.Index}`;
    const { outcome } = await this.#send(host, 'POST', path, specOf(name, value));
    history.returned(name, called, { kind: 'swap', expected, value }, outcome.verdict);
  }

  async #send(
    host: string,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ outcome: Outcome; body?: unknown }> {
    const { apis, struck } = this.#components;
    const began = performance.now();
    const wasStruck = struck.has(host);
    const options = { timeoutMs: PATIENCE_MS, ...(body ? { body } : {}) };
    const { outcome, ...rest } = await apis
      .get(host)!
      .send(method, path, options)
      .then(
        (answer) => ({ outcome: outcomeOf(answer), body: answer.body }),
        (error) => ({ outcome: outcomeOfError(error) }),
      );
    const now = performance.now();
    const isRead = method === 'GET';
    if (outcome.verdict !== 'ok') {
      const where = wasStruck || struck.has(host) ? 'victim' : 'other ';
      const what = `${where}  ${isRead ? 'read ' : 'write'}  ${outcome.label}`;
      this.#components.errors.add(what, now - began);
    } else if (!isRead) this.acknowledgedAt.push(now);
    return { outcome, ...rest };
  }
}

function specOf(name: string, value: string) {
  return { Name: name, Labels: { value }, Data: 'YQ==' };
}
