import { isSwarmError } from '../../common/errors.ts';
import type { ReadTx } from '../../manager/index.ts';
import type { LocalNetwork } from '../../netdriver/index.ts';
import type { NetworkAttachmentConfig, ServiceSpec } from '../../proto/gen/swarm/specs.ts';
import { forbidden } from './http/errors.ts';
import { lookUp } from './lookup.ts';

/**
 * The spec with the networks' names replaced by their ids. Throws SWM_NOT_FOUND, and
 * SWM_PERMISSION_DENIED for a network of this node alone.
 */
export function resolveNetworks(
  tx: ReadTx,
  local: readonly LocalNetwork[],
  spec: ServiceSpec,
): ServiceSpec {
  const resolve = (config: NetworkAttachmentConfig): NetworkAttachmentConfig => ({
    ...config,
    target: networkId(tx, local, config.target),
  });
  const { task } = spec;
  return {
    ...spec,
    task: task && { ...task, networks: task.networks.map(resolve) },
    networks: spec.networks.map(resolve),
  };
}

function networkId(tx: ReadTx, local: readonly LocalNetwork[], target: string): string {
  try {
    return lookUp(tx, 'network', target).id;
  } catch (error) {
    if (!isSwarmError(error, 'SWM_NOT_FOUND')) throw error;
    const here = local.find(({ id, name }) => id === target || name === target);
    if (!here) throw error;
    throw forbidden(
      `The network ${here.name} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`,
    );
  }
}
