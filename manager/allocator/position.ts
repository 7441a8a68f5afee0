import { Resource } from '../../proto/gen/swarm/objects.ts';
import type { ReadTx, WriteTx } from '../store/types.ts';

/**
 * Where a serial allocation stands: the last value handed out. It is a resource object of its own
 * rather than a field of the network, so that handing out an address neither changes the version of
 * the network nor tells everybody that it was updated; and it is in the store, so that the next
 * leader goes on where this one stopped.
 */
const KIND = 'ipam-position';
const TYPE_URL = 'type.swarm/ipam-position';

/** `scope`: the network's id and the subnet, or what else is handed out serially. */
export function readPosition(tx: ReadTx, scope: string): string | undefined {
  const value = tx.get('resource', positionId(scope))?.payload?.value;
  return value && Buffer.from(value).toString();
}

export function writePosition(tx: WriteTx, scope: string, last: string): void {
  const id = positionId(scope);
  const payload = { typeUrl: TYPE_URL, value: Buffer.from(last) };
  const existing = tx.get('resource', id);
  if (existing) tx.update('resource', { ...existing, payload });
  else tx.create('resource', { ...Resource.fromPartial({ id, kind: KIND }), payload });
}

/** Forgets the positions of a network that is gone. */
export function removePositions(tx: WriteTx, networkId: string): void {
  for (const { id } of tx.find('resource', { idPrefix: positionId(`${networkId}/`) })) {
    tx.remove('resource', id);
  }
}

/** The networks for which a position is kept. */
export function positionedNetworks(tx: ReadTx): Set<string> {
  const ids = tx.find('resource', { idPrefix: positionId('') }).map(({ id }) => id.split('/'));
  return new Set(ids.filter((parts) => parts.length > 2).map(([, networkId]) => networkId ?? ''));
}

function positionId(scope: string): string {
  return `ipam/${scope}`;
}
