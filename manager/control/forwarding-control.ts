import type { Clock } from '../../common/clock.ts';
import { deadline } from '../../common/deadline.ts';
import { SwarmError } from '../../common/errors.ts';
import { ControlService, UpdateServiceRequest_Rollback } from '../../proto/gen/swarm/control.ts';
import type { Store } from '../store/types.ts';
import type { ControlApi } from '../types.ts';
import type { LeaderCalls } from './leader-calls.ts';

const APPLY_TIMEOUT_MS = 5_000;

export interface ForwardingControlComponents {
  readonly clock: Clock;
  readonly calls: Pick<LeaderCalls, 'call'>;
  readonly store: Pick<Store, 'waitApplied'>;
}

type Methods = typeof ControlService;
type Request<M extends keyof Methods> = Parameters<Methods[M]['requestSerialize']>[0];
type Response<M extends keyof Methods> = ReturnType<Methods[M]['responseDeserialize']>;

/**
 * The control operations through the leader. Each resolves when this manager's own store shows what
 * was written, so that a client that reads next from here sees it.
 */
export function forwardingControl(components: ForwardingControlComponents): ControlApi {
  const { calls } = components;
  const call = async <M extends keyof Methods>(
    name: M,
    request: Request<M>,
  ): Promise<Response<M>> => {
    const { requestSerialize, responseDeserialize } = ControlService[name];
    const serialize = requestSerialize as (request: Request<M>) => Buffer;
    const { response, appliedIndex } = await calls.call(name, serialize(request));
    await applied(components, appliedIndex);
    return responseDeserialize(response) as Response<M>;
  };
  return {
    createService: async (spec) => required((await call('createService', { spec })).service),
    updateService: async (serviceId, index, spec, rolledBack) => {
      const { PREVIOUS, NONE } = UpdateServiceRequest_Rollback;
      const rollback = rolledBack ? PREVIOUS : NONE;
      const request = { serviceId, version: { index }, spec, rollback };
      return required((await call('updateService', request)).service);
    },
    removeService: async (id) => void (await call('removeService', { id })),
    createNetwork: async (spec) => required((await call('createNetwork', { spec })).network),
    removeNetwork: async (id) => void (await call('removeNetwork', { id })),
    updateNode: async (nodeId, index, spec) =>
      required((await call('updateNode', { nodeId, version: { index }, spec })).node),
    removeNode: async (nodeId, force) => void (await call('removeNode', { nodeId, force })),
    updateCluster: async (index, spec, rotation) => {
      const request = { clusterId: '', version: { index }, spec, rotation };
      return required((await call('updateCluster', request)).cluster);
    },
    createSecret: async (spec) => required((await call('createSecret', { spec })).secret),
    updateSecret: async (secretId, index, spec) =>
      required((await call('updateSecret', { secretId, version: { index }, spec })).secret),
    removeSecret: async (id) => void (await call('removeSecret', { id })),
    createConfig: async (spec) => required((await call('createConfig', { spec })).config),
    updateConfig: async (configId, index, spec) =>
      required((await call('updateConfig', { configId, version: { index }, spec })).config),
    removeConfig: async (id) => void (await call('removeConfig', { id })),
  };
}

// The write is done in any case: a store that lags behind for long is no reason to report failure.
async function applied(
  { clock, store }: Pick<ForwardingControlComponents, 'clock' | 'store'>,
  index: number,
): Promise<void> {
  const limit = deadline(clock, APPLY_TIMEOUT_MS);
  try {
    await store.waitApplied(index, limit.signal);
  } catch (error) {
    if (!limit.isOver) throw error;
  } finally {
    limit.cancel();
  }
}

function required<T>(object: T | undefined): T {
  if (object !== undefined) return object;
  throw new SwarmError('SWM_INTERNAL', 'the leader answered without the object that it wrote');
}
