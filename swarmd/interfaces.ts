import { networkInterfaces } from 'node:os';
import type { InterfaceAddress } from './addresses.ts';

/** Bridges, tunnels and container links of ours and of Docker: not addresses of the machine. */
const OURS = /^(swarm|docker|br-|veth|vx-|lb-|virbr|cni)/;

/** The addresses of the network namespace this process is in. */
export function listInterfaces(): InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([ifname, entries]) =>
    (entries ?? []).map((entry) => ({
      ifname,
      address: entry.address,
      family: entry.family === 'IPv6' ? (6 as const) : (4 as const),
      usable: !entry.internal && !OURS.test(ifname) && !entry.address.startsWith('fe80:'),
    })),
  );
}
