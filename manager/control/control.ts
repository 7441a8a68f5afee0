import { type Clock, sleep } from '../../common/clock.ts';
import { isSwarmError } from '../../common/errors.ts';
import { neverConnected } from '../../common/grpc-errors.ts';
import type { ControlApi } from '../types.ts';

/** How long an operation looks for a leader that takes it, and how often. */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 50;

export interface ControlComponents {
  readonly clock: Clock;
  /** The operations where they can be carried out now. Waits a little for a leader, if needed. */
  readonly target: () => Promise<ControlApi>;
}

/**
 * The control operations, wherever the leader is. While leadership changes hands, nobody takes
 * them: the old leader is away or hands over, and the new one has not yet applied what was before it.
 * An operation that surely did nothing is therefore repeated for a while.
 */
export function routedControl({ clock, target }: ControlComponents): ControlApi {
  const route = async <T>(operation: (control: ControlApi) => Promise<T>): Promise<T> => {
    const end = clock.monotonic() + PATIENCE_MS;
    for (;;) {
      try {
        return await operation(await target());
      } catch (error) {
        if (!neverHappened(error) || clock.monotonic() >= end) throw error;
        await sleep(clock, PAUSE_MS);
      }
    }
  };
  return {
    createService: (spec) => route((to) => to.createService(spec)),
    updateService: (id, version, spec, rollback) =>
      route((to) => to.updateService(id, version, spec, rollback)),
    removeService: (id) => route((to) => to.removeService(id)),
    createNetwork: (spec) => route((to) => to.createNetwork(spec)),
    removeNetwork: (id) => route((to) => to.removeNetwork(id)),
    updateNode: (id, version, spec) => route((to) => to.updateNode(id, version, spec)),
    removeNode: (id, force) => route((to) => to.removeNode(id, force)),
    updateCluster: (version, spec, rotation) =>
      route((to) => to.updateCluster(version, spec, rotation)),
    createSecret: (spec) => route((to) => to.createSecret(spec)),
    updateSecret: (id, version, spec) => route((to) => to.updateSecret(id, version, spec)),
    removeSecret: (id) => route((to) => to.removeSecret(id)),
    createConfig: (spec) => route((to) => to.createConfig(spec)),
    updateConfig: (id, version, spec) => route((to) => to.updateConfig(id, version, spec)),
    removeConfig: (id) => route((to) => to.removeConfig(id)),
  };
}

/** The receiver did not lead, or there was no connection to it in the first place. */
function neverHappened(error: unknown): boolean {
  if (isSwarmError(error, 'SWM_NOT_LEADER')) return true;
  return neverConnected(error);
}
