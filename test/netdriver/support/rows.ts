import type { EndpointRow } from '../../../netdriver/records.ts';
import { EndpointRecord } from '../../../proto/gen/swarm/gossip.ts';

let lamport = 0;

/** A row of the table `endpoints`; later calls are later writes. */
export function endpointRow(
  init: Parameters<typeof EndpointRecord.fromPartial>[0],
  row: Partial<Omit<EndpointRow, 'record'>> = {},
): EndpointRow {
  lamport += 1;
  const record = EndpointRecord.fromPartial(init);
  return { key: `endpoint${lamport}`, owner: 'node1', ltime: lamport, ...row, record };
}
