import type { Network } from '../../proto/gen/swarm/objects.ts';
import type { ReadTx, WriteTx } from '../store/types.ts';
import { invalidRequest } from './errors.ts';
import { describeNetwork } from './networks.ts';
import { readPosition, writePosition } from './position.ts';

/** The option of the overlay driver that holds a network's VXLAN ids, one per IPv4 subnet. */
export const VXLAN_IDS_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

const FIRST_AUTOMATIC = 4096;
const LAST = 2 ** 24 - 1;
const SCOPE = 'vni';

function vxlanIdsOf(options: Record<string, string> | undefined): number[] {
  const list = options?.[VXLAN_IDS_OPTION];
  return list ? list.split(',').map((id) => Number(id.trim())) : [];
}

/** `count` VXLAN ids for `network`: those that it asks for, then the next free ones. */
export function takeVxlanIds(tx: WriteTx, network: Network, count: number): number[] {
  const owners = vxlanIdOwners(tx, network.id);
  const wanted = vxlanIdsOf(network.spec?.driverConfig?.options);
  for (const id of wanted) refuseUnusable(id, owners);
  if (new Set(wanted).size < wanted.length) {
    throw invalidRequest(`vxlan ids ${wanted.join(',')} are not all different`);
  }
  const ids = [...wanted];
  while (ids.length < count) {
    const id = nextFree(tx, (candidate) => owners.has(candidate) || ids.includes(candidate));
    writePosition(tx, SCOPE, String(id));
    ids.push(id);
  }
  return ids;
}

function vxlanIdOwners(tx: ReadTx, except: string): Map<number, Network> {
  const owners = new Map<number, Network>();
  for (const network of tx.all('network')) {
    if (network.id === except) continue;
    for (const id of vxlanIdsOf(network.driverState?.options)) owners.set(id, network);
  }
  return owners;
}

function refuseUnusable(id: number, owners: Map<number, Network>): void {
  if (!Number.isInteger(id) || id < 0 || id > LAST) {
    throw invalidRequest(`invalid vxlan id value ${id} passed: it must be between 0 and ${LAST}`);
  }
  const owner = owners.get(id);
  if (owner) {
    throw invalidRequest(`vxlan id ${id} is already in use by network ${describeNetwork(owner)}`);
  }
}

/** Ids are reused as late as possible: a node may still be taking down the last user's tunnel. */
function nextFree(tx: ReadTx, isTaken: (id: number) => boolean): number {
  const last = Number(readPosition(tx, SCOPE) ?? FIRST_AUTOMATIC - 1);
  const span = LAST - FIRST_AUTOMATIC + 1;
  for (let step = 1; step <= span; step += 1) {
    const id = FIRST_AUTOMATIC + ((last - FIRST_AUTOMATIC + step) % span);
    if (!isTaken(id)) return id;
  }
  throw invalidRequest('every VXLAN id is in use');
}
