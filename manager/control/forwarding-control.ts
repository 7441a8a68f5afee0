import type { Client } from '@grpc/grpc-js';
import { SwarmError } from '../../common/errors.ts';
import { ControlService, UpdateServiceRequest_Rollback } from '../../proto/gen/swarm/control.ts';
import { callUnary, type UnaryMethod } from '../rpc.ts';
import type { Store } from '../store/types.ts';
import type { ControlApi } from '../types.ts';
import { APPLIED_INDEX_KEY } from './control-service.ts';

const RPC_TIMEOUT_MS = 20_000;
const APPLY_TIMEOUT_MS = 5_000;

export interface ForwardingControlComponents {
  /** A connection to the leader. Throws SWM_NO_LEADER. */
  readonly leader: () => Client;
  readonly store: Pick<Store, 'waitApplied'>;
}

/**
 * The control operations through the leader. Each resolves when this manager's own store shows what
 * was written, so that a client that reads next from here sees it.
 */
export function forwardingControl(components: ForwardingControlComponents): ControlApi {
  const call = async <Q, R>(method: UnaryMethod<Q, R>, request: Q): Promise<R> => {
    const options = { timeoutMs: RPC_TIMEOUT_MS };
    const { response, trailer } = await callUnary(components.leader(), method, request, options);
    const index = Number(trailer.get(APPLIED_INDEX_KEY)[0] ?? 0);
    await applied(components.store, index);
    return response;
  };
  const service = ControlService;
  return {
    createService: async (spec) => required((await call(service.createService, { spec })).service),
    updateService: async (serviceId, index, spec, rolledBack) => {
      const { PREVIOUS, NONE } = UpdateServiceRequest_Rollback;
      const rollback = rolledBack ? PREVIOUS : NONE;
      const request = { serviceId, version: { index }, spec, rollback };
      return required((await call(service.updateService, request)).service);
    },
    removeService: async (id) => void (await call(service.removeService, { id })),
    createNetwork: async (spec) => required((await call(service.createNetwork, { spec })).network),
    removeNetwork: async (id) => void (await call(service.removeNetwork, { id })),
    updateNode: async (nodeId, index, spec) =>
      required((await call(service.updateNode, { nodeId, version: { index }, spec })).node),
    removeNode: async (nodeId, force) => void (await call(service.removeNode, { nodeId, force })),
    updateCluster: async (index, spec, rotation) => {
      const request = { clusterId: '', version: { index }, spec, rotation };
      return required((await call(service.updateCluster, request)).cluster);
    },
    createSecret: async (spec) => required((await call(service.createSecret, { spec })).secret),
    updateSecret: async (secretId, index, spec) =>
      required((await call(service.updateSecret, { secretId, version: { index }, spec })).secret),
    removeSecret: async (id) => void (await call(service.removeSecret, { id })),
    createConfig: async (spec) => required((await call(service.createConfig, { spec })).config),
    updateConfig: async (configId, index, spec) =>
      required((await call(service.updateConfig, { configId, version: { index }, spec })).config),
    removeConfig: async (id) => void (await call(service.removeConfig, { id })),
  };
}

// The write is done in any case: a store that lags behind for long is no reason to report failure.
async function applied(store: Pick<Store, 'waitApplied'>, index: number): Promise<void> {
  const timeout = AbortSignal.timeout(APPLY_TIMEOUT_MS);
  await store.waitApplied(index, timeout).catch((error) => {
    if (!timeout.aborted) throw error;
  });
}

function required<T>(object: T | undefined): T {
  if (object !== undefined) return object;
  throw new SwarmError('SWM_INTERNAL', 'the leader answered without the object that it wrote');
}
