import { sleep } from '../../../common/clock.ts';
import { SwarmError } from '../../../common/errors.ts';
import { type Random, randomInt } from '../../../common/random.ts';
import type { EngineApi } from '../../../worker/engine/types.ts';
import { FakeEngine } from '../../worker/agent/fake-engine.ts';
import type { SimProcess } from '../world/sim-process.ts';

/** How long a runtime takes, milliseconds. */
const CREATE_MS = [10, 80] as const;
const START_MS = [20, 300] as const;
const STOP_MS = [10, 1_500] as const;

const SERVICE_LABEL = 'com.docker.swarm.service.id';

/** The containers of a host. They outlast its daemon, not its power. */
export class SimEngine {
  readonly #fake = new FakeEngine();
  readonly #random: Random;
  /** Chance that making or starting a container fails. */
  failures = 0;

  constructor(components: { readonly random: Random }) {
    this.#random = components.random;
  }

  /** Running containers by service. */
  running(): readonly string[] {
    return [...this.#fake.containers.values()]
      .filter(({ state }) => state.status === 'running')
      .map(({ config }) => config.Labels?.[SERVICE_LABEL] ?? '');
  }

  /** Tasks that have a running container more than once: the agent must never do that. */
  doubles(): readonly string[] {
    const tasks = [...this.#fake.containers.values()].map(({ taskId }) => taskId);
    return tasks.filter((task, i) => tasks.indexOf(task) !== i);
  }

  /** One container ends by itself; returns its task. */
  exitOne(exitCode: number): string | undefined {
    const running = this.#runningTasks();
    const victim = running[randomInt(this.#random, 0, running.length - 1)];
    if (victim) this.#fake.exit(victim, exitCode);
    return victim;
  }

  powerOff(): void {
    for (const task of this.#runningTasks()) this.#fake.exit(task, 255);
  }

  /** As the daemon sees it. */
  api(daemon: SimProcess): EngineApi {
    const engine = this.#fake.api();
    const after = <T>(range: readonly [number, number], work: () => Promise<T>) =>
      daemon.outside(async () => {
        await sleep(daemon.clock, randomInt(this.#random, ...range));
        return work();
      });
    const risky = <T>(range: readonly [number, number], what: string, work: () => Promise<T>) =>
      after(range, () => {
        if (this.#random.float() >= this.failures) return work();
        throw new SwarmError('SWM_INTERNAL', `the runtime could not ${what} the container`);
      });
    return {
      ...engine,
      images: {
        ...engine.images,
        inspect: async (reference) => ({ id: reference, repoDigests: [`${reference}@x`] }) as never,
        distribution: async () => ({ mediaType: '', digest: 'x', size: 0, platforms: [] }),
      },
      create: (body, options) => risky(CREATE_MS, 'create', () => engine.create(body, options)),
      startContainer: (ref) => risky(START_MS, 'start', () => engine.startContainer(ref)),
      stopContainer: (ref, options) => after(STOP_MS, () => engine.stopContainer(ref, options)),
      remove: (ref, options) => daemon.outside(() => engine.remove(ref, options)),
      wait: (ref, condition, signal) => daemon.outside(() => engine.wait(ref, condition, signal)),
    };
  }

  #runningTasks(): string[] {
    return [...this.#fake.containers.values()]
      .filter(({ state }) => state.status === 'running')
      .map(({ taskId }) => taskId ?? '');
  }
}
