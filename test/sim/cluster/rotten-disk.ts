import { errorMessage, isSwarmError, SwarmError } from '../../../common/errors.ts';
import type { World } from '../world/world.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimManager } from './sim-manager.ts';

/** What a full disk says. */
export const NO_SPACE = 'no space left on device';

/** How often users look after a manager whose disk is damaged. */
const TEND_MS = 1_000;

/**
 * A manager whose disk was damaged, one at a time. It must run as if nothing had happened, or say what
 * is damaged; then users put another in its place.
 */
export class RottenDisk {
  readonly #world: World;
  readonly #cluster: SimCluster;
  #manager: SimManager | undefined;

  constructor(components: { readonly world: World; readonly cluster: SimCluster }) {
    this.#world = components.world;
    this.#cluster = components.cluster;
  }

  /** Until it runs all the same, or is replaced. */
  get isTended(): boolean {
    return this.#manager !== undefined;
  }

  /** Takes the power of `manager` away; whoever calls this is to start it again. */
  damage(manager: SimManager): void {
    manager.crash(true);
    this.#manager = manager;
    this.#log('rot', `${manager.name} ${manager.rot()}`);
    this.#tend(manager);
  }

  #tend(manager: SimManager): void {
    this.#world.schedule(TEND_MS, () => {
      if (manager.life?.ready || manager.removed) {
        this.#manager = undefined;
        return;
      }
      const { failure } = manager;
      if (failure !== undefined && !(failure instanceof SwarmError) && !isFullDisk(failure)) {
        this.#world.fail(failure);
      }
      if (isDamage(failure)) this.#replace(manager);
      if (this.#manager) this.#tend(manager);
    });
  }

  #replace(manager: SimManager): void {
    const members = this.#cluster.leader()?.consensus?.members();
    if (!members) return;
    if (members.some(({ nodeId }) => nodeId === manager.name)) {
      this.#cluster.demote(manager.name).catch(() => undefined);
      return;
    }
    manager.removed = true;
    manager.wipe();
    this.#manager = undefined;
    this.#log('replace', manager.name);
    this.#cluster.join().catch((error) => this.#log('join', errorMessage(error)));
  }

  #log(kind: string, details: string): void {
    this.#world.log('-', kind, details);
  }
}

/** It says that it will not run with what is on its disk. */
export function isDamage(failure: unknown): boolean {
  return isSwarmError(failure, 'SWM_DAMAGED');
}

function isFullDisk(failure: unknown): boolean {
  return errorMessage(failure).includes(NO_SPACE);
}
