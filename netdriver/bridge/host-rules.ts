import type { NftChain, Ruleset } from '../kernel/ruleset.ts';
import type { L4Protocol } from '../kernel/types.ts';
import { TABLE } from '../names.ts';

/** A bridge that exists on the host now. */
export interface HostBridge {
  readonly device: string;
  readonly subnet: string;
  readonly internal: boolean;
  readonly masquerade: boolean;
}

/** A port of the host that leads to a container, or to the ingress sandbox. */
export interface HostPort {
  readonly protocol: L4Protocol;
  /** '' is every address. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly targetIp: string;
  readonly targetPort: number;
}

/** All that this node's own namespace needs of nftables. */
export interface HostState {
  readonly bridges: readonly HostBridge[];
  readonly ports: readonly HostPort[];
}

/**
 * The table of the host's namespace. Published ports are looked up in maps, so their number costs
 * nothing per packet. Chains of others are neither touched nor relied on.
 */
export function hostRuleset(state: HostState): Ruleset {
  const anywhere = state.ports.filter((port) => port.hostIp === '');
  const somewhere = state.ports.filter((port) => port.hostIp !== '');
  return {
    family: 'ip',
    table: TABLE,
    maps: {
      bridges: {
        type: 'ifname',
        elements: Object.fromEntries(state.bridges.map(({ device }) => [`"${device}"`, ''])),
      },
      published: {
        type: 'inet_proto . inet_service : ipv4_addr . inet_service',
        elements: Object.fromEntries(anywhere.map((port) => [portKey(port), target(port)])),
      },
      published_at: {
        type: 'ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service',
        elements: Object.fromEntries(
          somewhere.map((port) => [`${port.hostIp} . ${portKey(port)}`, target(port)]),
        ),
      },
    },
    chains: {
      published: {
        rules: [
          'dnat ip to ip daddr . meta l4proto . th dport map @published_at',
          'dnat ip to meta l4proto . th dport map @published',
        ],
      },
      guard: {
        hook: 'type filter hook prerouting priority raw; policy accept;',
        // route_localnet is on for our bridges, so loopback addresses must be kept out by rule.
        rules: ['iifname @bridges ip daddr 127.0.0.0/8 drop'],
      },
      prerouting: {
        hook: 'type nat hook prerouting priority dstnat; policy accept;',
        rules: ['fib daddr type local jump published'],
      },
      output: {
        hook: 'type nat hook output priority -100; policy accept;',
        rules: ['fib daddr type local jump published'],
      },
      forward: forwardChain(state.bridges),
      postrouting: postroutingChain(state.bridges),
    },
  };
}

/** A container is reached from outside its bridge only through a published port. */
function forwardChain(bridges: readonly HostBridge[]): NftChain {
  return {
    hook: 'type filter hook forward priority filter; policy accept;',
    rules: [
      'ct state established,related accept',
      ...bridges
        .filter((bridge) => bridge.internal)
        .map(({ device }) => `iifname "${device}" oifname != "${device}" drop`),
      ...bridges.map(
        ({ device }) => `oifname "${device}" iifname != "${device}" ct status & dnat == 0 drop`,
      ),
    ],
  };
}

/**
 * Out of the bridge with the host's address. Into it, only what the host itself or a container of
 * the same bridge sends to a published port is masked: the answer would take another way back.
 */
function postroutingChain(bridges: readonly HostBridge[]): NftChain {
  const rules = bridges
    .filter((bridge) => bridge.masquerade && !bridge.internal)
    .flatMap(({ device, subnet }) => [
      `ip saddr ${subnet} oifname != "${device}" masquerade`,
      `oifname "${device}" ct status dnat fib saddr type local masquerade`,
      `oifname "${device}" ct status dnat ip saddr ${subnet} masquerade`,
    ]);
  return { hook: 'type nat hook postrouting priority srcnat; policy accept;', rules };
}

function portKey(port: HostPort): string {
  return `${port.protocol} . ${port.hostPort}`;
}

function target(port: HostPort): string {
  return `${port.targetIp} . ${port.targetPort}`;
}
