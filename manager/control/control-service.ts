import { type handleUnaryCall, Metadata } from '@grpc/grpc-js';
import { SwarmError } from '../../common/errors.ts';
import { toServiceError } from '../../common/grpc-errors.ts';
import {
  type ControlServer,
  UpdateServiceRequest_Rollback as Rollback,
} from '../../proto/gen/swarm/control.ts';
import type { Version } from '../../proto/gen/swarm/types.ts';
import type { Store } from '../store/types.ts';
import type { ControlApi } from '../types.ts';

/** The trailer with the index that the caller's store must have applied to show the write. */
export const APPLIED_INDEX_KEY = 'swarm-applied-index';

export interface ControlServiceComponents {
  /** The leader's operations; throws SWM_NOT_LEADER elsewhere, as nothing is forwarded twice. */
  readonly control: () => ControlApi;
  readonly store: Pick<Store, 'appliedIndex'>;
  /** A linearizable read index, on the leader. */
  readonly readIndex: () => Promise<number>;
}

/** What other managers call for their clients. */
export function controlService(components: ControlServiceComponents): ControlServer {
  const handler = <Q, R>(
    run: (control: ControlApi, request: Q) => Promise<R>,
  ): handleUnaryCall<Q, R> => {
    const handle = async (request: Q) => run(components.control(), request);
    return (call, callback) => {
      handle(call.request).then(
        (response) => callback(null, response, appliedIndex(components.store)),
        (error) => callback(toServiceError(error)),
      );
    };
  };
  return {
    createService: handler(async (control, { spec }) => ({
      service: await control.createService(required(spec)),
    })),
    updateService: handler(async (control, { serviceId, version, spec, rollback }) => {
      const back = rollback === Rollback.PREVIOUS;
      const wanted = required(spec);
      return { service: await control.updateService(serviceId, indexOf(version), wanted, back) };
    }),
    removeService: handler(async (control, { id }) => {
      await control.removeService(id);
      return {};
    }),
    createNetwork: handler(async (control, { spec }) => ({
      network: await control.createNetwork(required(spec)),
    })),
    removeNetwork: handler(async (control, { id }) => {
      await control.removeNetwork(id);
      return {};
    }),
    updateNode: handler(async (control, { nodeId, version, spec }) => ({
      node: await control.updateNode(nodeId, indexOf(version), required(spec)),
    })),
    removeNode: handler(async (control, { nodeId, force }) => {
      await control.removeNode(nodeId, force);
      return {};
    }),
    updateCluster: handler(async (control, { version, spec, rotation }) => ({
      cluster: await control.updateCluster(indexOf(version), required(spec), required(rotation)),
    })),
    createSecret: handler(async (control, { spec }) => ({
      secret: await control.createSecret(required(spec)),
    })),
    updateSecret: handler(async (control, { secretId, version, spec }) => ({
      secret: await control.updateSecret(secretId, indexOf(version), required(spec)),
    })),
    removeSecret: handler(async (control, { id }) => {
      await control.removeSecret(id);
      return {};
    }),
    createConfig: handler(async (control, { spec }) => ({
      config: await control.createConfig(required(spec)),
    })),
    updateConfig: handler(async (control, { configId, version, spec }) => ({
      config: await control.updateConfig(configId, indexOf(version), required(spec)),
    })),
    removeConfig: handler(async (control, { id }) => {
      await control.removeConfig(id);
      return {};
    }),
    readIndex: handler(async () => ({ index: await components.readIndex() })),
  };
}

function appliedIndex({ appliedIndex: index }: Pick<Store, 'appliedIndex'>): Metadata {
  const trailer = new Metadata();
  trailer.set(APPLIED_INDEX_KEY, String(index));
  return trailer;
}

function required<T>(value: T | undefined): T {
  if (value !== undefined) return value;
  throw new SwarmError('SWM_INVALID_ARGUMENT', 'the request has no spec');
}

function indexOf(version: Version | undefined): number {
  if (version) return version.index;
  throw new SwarmError('SWM_INVALID_ARGUMENT', 'the request has no version');
}
