import type { Network } from '../../proto/gen/swarm/objects.ts';
import type { ReadTx } from '../store/types.ts';

const DEFAULT_DRIVER = 'overlay';
const LEGACY_INGRESS_LABEL = 'com.docker.swarm.internal';

export function driverOf(network: Network): string {
  return network.spec?.driverConfig?.name || DEFAULT_DRIVER;
}

/** Overlays have addresses of the cluster; networks of every other driver are each node's own. */
export function isOverlay(network: Network): boolean {
  return driverOf(network) === 'overlay';
}

export function isIngress(network: Network): boolean {
  const { annotations, ingress } = network.spec ?? {};
  if (ingress) return true;
  return annotations?.name === 'ingress' && LEGACY_INGRESS_LABEL in annotations.labels;
}

export function networkName(network: Network): string {
  return network.spec?.annotations?.name || network.id;
}

/** For messages: the name, and the id that tells it from its namesakes. */
export function describeNetwork(network: Network): string {
  return `${networkName(network)} (${network.id})`;
}

/** The one network that carries published ports. */
export function findIngress(tx: ReadTx): Network | undefined {
  for (const network of tx.all('network')) if (isIngress(network)) return network;
  return undefined;
}

/** By id or name, as attachment configurations have it. */
export function findNetwork(tx: ReadTx, target: string): Network | undefined {
  return tx.get('network', target) ?? tx.find('network', { name: target })[0];
}

/** True once `allocateNetwork` did its work. */
export function isAllocated(network: Network): boolean {
  return network.driverState !== undefined;
}
