import { errorMessage, isSwarmError, SwarmError } from '../../../common/errors.ts';
import type { World } from '../world/world.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { SimManager } from './sim-manager.ts';

/** The error message of a full disk. */
export const NO_SPACE = 'no space left on device';

/** How often users look whether such a manager runs. */
const WATCH_MS = 1_000;

/**
 * Flips a bit on the disk of a manager, of one at a time. The manager must run as if nothing had
 * happened, or refuse to and say what is damaged; then users replace it by another one.
 */
export class RottenDisk {
  readonly #world: World;
  readonly #cluster: SimCluster;
  #manager: SimManager | undefined;

  constructor(components: { readonly world: World; readonly cluster: SimCluster }) {
    this.#world = components.world;
    this.#cluster = components.cluster;
  }

  /** There is a damaged manager that neither runs nor has been replaced yet. */
  get isPending(): boolean {
    return this.#manager !== undefined;
  }

  /** Cuts the power of `manager`, and damages its disk. The caller has to start it again. */
  damage(manager: SimManager): void {
    manager.crash(true);
    this.#manager = manager;
    this.#log('rot', `${manager.name} ${manager.rot()}`);
    this.#watch(manager);
  }

  #watch(manager: SimManager): void {
    this.#world.schedule(WATCH_MS, () => {
      if (manager.life?.ready || manager.removed) {
        this.#manager = undefined;
        return;
      }
      const { failure } = manager;
      if (failure !== undefined && !(failure instanceof SwarmError) && !isFullDisk(failure)) {
        this.#world.fail(failure);
      }
      if (isDamage(failure)) this.#replace(manager);
      if (this.#manager) this.#watch(manager);
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

/** Whether a manager ended because what is on its disk is damaged. */
export function isDamage(failure: unknown): boolean {
  return isSwarmError(failure, 'SWM_DAMAGED');
}

function isFullDisk(failure: unknown): boolean {
  return errorMessage(failure).includes(NO_SPACE);
}
