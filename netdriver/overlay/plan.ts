import { contains, ipOf, macOf, prefixOf } from '../ipv4.ts';
import type { LinkOp, Netns } from '../kernel/types.ts';
import type { NetworkConfig, SubnetConfig } from '../types.ts';

const MTU_OPTION = 'com.docker.network.driver.mtu';
const DEFAULT_MTU = 1500;
/** Outer Ethernet, IPv4, UDP and VXLAN headers. */
const VXLAN_OVERHEAD = 50;

export function overlayMtu(network: NetworkConfig): number {
  const asked = Number(network.options[MTU_OPTION]);
  return (asked > 0 ? asked : DEFAULT_MTU) - VXLAN_OVERHEAD;
}

/** Devices of the n-th subnet of a network. */
export function deviceNames(index: number): { bridge: string; vxlan: string } {
  return { bridge: `br${index}`, vxlan: `vxlan${index}` };
}

/** Which subnet an address belongs to, -1 for none. */
export function subnetIndexOf(network: Pick<NetworkConfig, 'subnets'>, ip: string): number {
  return network.subnets.findIndex((subnet) => contains(subnet.subnet, ip));
}

/** Inside the overlay's namespace, before the VXLAN devices come. */
export function bridgeOps(network: NetworkConfig): LinkOp[] {
  return network.subnets.flatMap((subnet, index): LinkOp[] => {
    const { bridge } = deviceNames(index);
    const gateway = `${ipOf(subnet.gateway)}/${prefixOf(subnet.subnet)}`;
    return [
      { op: 'add-bridge', name: bridge, mac: macOf(ipOf(gateway)) },
      { op: 'set-link', name: bridge, mtu: overlayMtu(network) },
      { op: 'add-address', dev: bridge, address: gateway },
    ];
  });
}

/** In the host's namespace, so that the UDP sockets stay there. */
export function vxlanOps(
  network: NetworkConfig,
  netns: Netns,
  port: number,
): (LinkOp & { op: 'add-vxlan' })[] {
  return network.subnets.map((subnet, index) => ({
    op: 'add-vxlan',
    name: deviceNames(index).vxlan,
    netns,
    vni: vniOf(subnet),
    port,
    mtu: overlayMtu(network),
  }));
}

/** Inside the overlay's namespace, once all devices are there. */
export function joinBridgeOps(network: NetworkConfig): LinkOp[] {
  return network.subnets.map((_, index) => {
    const { bridge, vxlan } = deviceNames(index);
    return { op: 'set-link', name: vxlan, master: bridge, up: true };
  });
}

/** Inside the overlay's namespace; the container's end is still down afterwards. */
export function attachOps(
  network: NetworkConfig,
  endpoint: { address: string; mac: string },
  target: { netns: Netns; ifname: string },
): LinkOp[] {
  const index = subnetIndexOf(network, ipOf(endpoint.address));
  return [
    {
      op: 'add-veth',
      name: 'veth%d',
      master: deviceNames(index).bridge,
      mtu: overlayMtu(network),
      peer: { name: target.ifname, netns: target.netns, mac: endpoint.mac },
    },
  ];
}

/** Inside the container's namespace: the other subnets of the network lie behind the gateway. */
export function configureOps(
  network: NetworkConfig,
  endpoint: { address: string },
  ifname: string,
): LinkOp[] {
  const own = subnetIndexOf(network, ipOf(endpoint.address));
  const gateway = ipOf(network.subnets[own]?.gateway ?? '');
  return [
    { op: 'add-address', dev: ifname, address: endpoint.address },
    { op: 'set-link', name: ifname, up: true },
    ...network.subnets
      .filter((_, index) => index !== own)
      .map((subnet): LinkOp => ({ op: 'set-route', to: subnet.subnet, via: gateway, dev: ifname })),
  ];
}

function vniOf(subnet: SubnetConfig): number {
  if (!subnet.vni) throw new RangeError(`the overlay subnet ${subnet.subnet} has no VNI`);
  return subnet.vni;
}
