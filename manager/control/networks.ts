import { SwarmError } from '../../common/errors.ts';
import { newId } from '../../common/ids.ts';
import { Network } from '../../proto/gen/swarm/objects.ts';
import type { NetworkSpec } from '../../proto/gen/swarm/specs.ts';
import { type PortConfig, PortConfig_PublishMode, TaskState } from '../../proto/gen/swarm/types.ts';
import { allocateNetwork } from '../allocator/network.ts';
import { findIngress, isIngress } from '../allocator/networks.ts';
import type { ReadTx } from '../store/types.ts';
import { type ControlContext, requireObject, writeObject } from './control-context.ts';
import { PREDEFINED_LABEL, validateNetwork } from './validate-network.ts';

/**
 * Makes a network, with its subnets and VXLAN ids. Throws SWM_INVALID_ARGUMENT, also for a subnet that
 * overlaps another, and SWM_CONFLICT for a taken name or a second ingress network.
 */
export async function createNetwork(context: ControlContext, spec: NetworkSpec): Promise<Network> {
  validateNetwork(spec);
  return writeObject(context, 'network', (tx) => {
    const ingress = spec.ingress ? findIngress(tx) : undefined;
    if (ingress) {
      throw new SwarmError(
        'SWM_CONFLICT',
        `ingress network (${ingress.spec?.annotations?.name}) is already present`,
      );
    }
    const network = Network.fromPartial({ id: newId(context.random) });
    tx.create('network', { ...network, spec });
    const { meta } = requireObject(tx, 'network', network.id);
    const allocated = { ...allocateNetwork(tx, { ...network, spec }), meta };
    tx.update('network', allocated);
    return allocated;
  });
}

/** Throws SWM_NOT_FOUND, SWM_FAILED_PRECONDITION while it is used, SWM_PERMISSION_DENIED. */
export async function removeNetwork(context: ControlContext, id: string): Promise<void> {
  await context.store.update((tx) => {
    const network = requireObject(tx, 'network', id);
    const name = network.spec?.annotations?.name;
    if (network.spec?.annotations?.labels[PREDEFINED_LABEL] === 'true') {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `${name} is a pre-defined network and cannot be removed`,
      );
    }
    if (isIngress(network)) refuseIngressInUse(tx);
    refuseInUse(tx, network);
    tx.remove('network', id);
  });
}

function refuseIngressInUse(tx: ReadTx): void {
  const ingress = ({ publishMode }: PortConfig) => publishMode === PortConfig_PublishMode.INGRESS;
  for (const service of tx.all('service')) {
    if (!service.spec?.endpoint?.ports.some(ingress)) continue;
    throw new SwarmError(
      'SWM_FAILED_PRECONDITION',
      `ingress network cannot be removed because service ${service.id} depends on it`,
    );
  }
}

function refuseInUse(tx: ReadTx, network: Network): void {
  const inUse = (by: string) =>
    new SwarmError('SWM_FAILED_PRECONDITION', `network ${network.id} is in use by ${by}`);
  const by = { networkId: network.id };
  const [service] = tx.find('service', by);
  if (service) throw inUse(`service ${service.id}`);
  const task = tx
    .find('task', by)
    .find(
      ({ desiredState, status }) =>
        desiredState <= TaskState.RUNNING && (status?.state ?? TaskState.NEW) <= TaskState.RUNNING,
    );
  if (task) throw inUse(`task ${task.id}`);
}
