import ipaddr from 'ipaddr.js';

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_HOST = 'registry-1.docker.io';

export interface RegistryHostInit {
  /** `host`, `host:port` or a CIDR: reached by plain HTTP. */
  readonly insecureRegistries: readonly string[];
}

/** The base address of the registry behind a reference's domain. */
export function registryBase(domain: string, init: RegistryHostInit): string {
  const host = domain === DOCKER_HUB ? DOCKER_HUB_HOST : domain;
  return `${isPlain(host, init.insecureRegistries) ? 'http' : 'https'}://${host}`;
}

function isPlain(host: string, insecure: readonly string[]): boolean {
  const name = host.replace(/:\d+$/, '');
  if (name === 'localhost' || insecure.includes(host) || insecure.includes(name)) return true;
  const bare = name.replace(/^\[|\]$/g, '');
  if (!ipaddr.isValid(bare)) return false;
  const address = ipaddr.process(bare);
  if (address.range() === 'loopback') return true;
  return insecure.some((entry) => {
    if (!ipaddr.isValidCIDR(entry)) return false;
    const [network, bits] = ipaddr.parseCIDR(entry);
    return network.kind() === address.kind() && address.match(network, bits);
  });
}
