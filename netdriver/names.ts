/** Names that people see on a node; those that Docker users know are kept. */
export const INGRESS_NETNS = 'ingress_sbox';
export const INGRESS_SANDBOX_KEY = 'ingress-sbox';
export const INGRESS_ENDPOINT = 'ingress-endpoint';
export const GATEWAY_NETWORK = 'swarm_gwbridge';
export const DEFAULT_BRIDGE_DEVICE = 'swarm0';
/** Every nftables table of ours is named so, in whichever namespace. */
export const TABLE = 'swarm';

const CONTAINER_NETNS = /^[0-9a-f]{12}$/;
const OVERLAY_NETNS = /^1-[0-9a-z]{10}$/;
const BALANCER_NETNS = /^lb_[0-9a-z]{9}$/;

export function containerNetns(containerId: string): string {
  return containerId.slice(0, 12);
}

export function overlayNetns(networkId: string): string {
  return `1-${networkId.slice(0, 10)}`;
}

export function balancerNetns(networkId: string): string {
  return `lb_${networkId.slice(0, 9)}`;
}

export function isOurNetns(name: string): boolean {
  return (
    name === INGRESS_NETNS ||
    CONTAINER_NETNS.test(name) ||
    OVERLAY_NETNS.test(name) ||
    BALANCER_NETNS.test(name)
  );
}

/** The host's end of a bridge endpoint's veth pair. */
export function hostVeth(endpointId: string): string {
  return `veth${endpointId.slice(0, 7)}`;
}

export function bridgeDevice(networkId: string): string {
  return `br-${networkId.slice(0, 12)}`;
}

/** The balancer's endpoint on an overlay, as peers see it. */
export function balancerEndpoint(networkName: string): string {
  return `${networkName}-endpoint`;
}
