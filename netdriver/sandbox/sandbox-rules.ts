import type { GossipPort } from '../../proto/gen/swarm/gossip.ts';
import type { NftChain, Ruleset } from '../kernel/ruleset.ts';
import { TABLE } from '../names.ts';
import { protocolName } from '../protocol.ts';
import { RESOLVER_ADDRESS } from '../resolver/resolv-conf.ts';

export interface SandboxRulesInput {
  /** Where this container's resolver listens; absent when it has none. */
  readonly resolver?: { udpPort: number; tcpPort: number };
  readonly ingress?: {
    readonly ifname: string;
    readonly ip: string;
    readonly ports: readonly GossipPort[];
  };
}

/** The table inside a container's namespace. */
export function sandboxRuleset(input: SandboxRulesInput): Ruleset {
  return {
    family: 'ip',
    table: TABLE,
    maps: {},
    chains: {
      ...(input.resolver ? resolverChains(input.resolver) : {}),
      ...(input.ingress ? ingressChains(input.ingress) : {}),
    },
  };
}

/** The resolver's ports are random, so that the container may serve port 53 itself. */
function resolverChains(ports: { udpPort: number; tcpPort: number }): Record<string, NftChain> {
  const to = (protocol: string, port: number) =>
    `ip daddr ${RESOLVER_ADDRESS} ${protocol} dport 53 dnat to ${RESOLVER_ADDRESS}:${port}`;
  return {
    resolver: {
      hook: 'type nat hook output priority -100; policy accept;',
      rules: [to('udp', ports.udpPort), to('tcp', ports.tcpPort)],
    },
  };
}

/**
 * Published ports lead to target ports, and nothing else passes the ingress interface. A connection
 * is marked with the last four bytes of the hardware address that it came from, which are the IPv4
 * address of the ingress endpoint of the node that the client asked; answers carry the mark to the
 * routing table of that endpoint (see `clientRouteOps`). So the client's address needs no hiding.
 */
function ingressChains(ingress: {
  ifname: string;
  ip: string;
  ports: readonly GossipPort[];
}): Record<string, NftChain> {
  const input = `iifname "${ingress.ifname}"`;
  const output = `oifname "${ingress.ifname}"`;
  const ports = ingress.ports.filter((port) => port.publishedPort > 0);
  const transports = 'meta l4proto { tcp, udp, sctp }';
  return {
    ingress_redirect: {
      hook: 'type nat hook prerouting priority dstnat; policy accept;',
      rules: ports.map(
        (port) =>
          `${input} ip daddr ${ingress.ip} ${protocolName(port.protocol)} dport ` +
          `${port.publishedPort} redirect to :${port.targetPort}`,
      ),
    },
    ingress_origin: {
      hook: 'type filter hook prerouting priority mangle; policy accept;',
      rules: [`${input} ct direction original ct mark set @ll,64,32`],
    },
    ingress_return: {
      hook: 'type route hook output priority mangle; policy accept;',
      rules: ['ct direction reply ct mark != 0 meta mark set ct mark'],
    },
    ingress_input: {
      hook: 'type filter hook input priority filter; policy accept;',
      rules: [
        ...ports.map(
          (port) =>
            `${input} meta l4proto ${protocolName(port.protocol)} ` +
            `ct original proto-dst ${port.publishedPort} accept`,
        ),
        `${input} ${transports} drop`,
      ],
    },
    ingress_output: {
      hook: 'type filter hook output priority filter; policy accept;',
      rules: [`${output} ct state new ${transports} drop`],
    },
  };
}
