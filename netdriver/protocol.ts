import { PortConfig_Protocol } from '../proto/gen/swarm/types.ts';
import type { L4Protocol } from './kernel/types.ts';

export function protocolName(protocol: PortConfig_Protocol): L4Protocol {
  switch (protocol) {
    case PortConfig_Protocol.UDP:
      return 'udp';
    case PortConfig_Protocol.SCTP:
      return 'sctp';
    default:
      return 'tcp';
  }
}
