const FIXED = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

const HOST_GATEWAY = 'host-gateway';

/**
 * A container's /etc/hosts: itself under each of its addresses, and the user's own lines, in which
 * `host-gateway` stands for the address under which the container reaches its host.
 */
export function hostsFile(input: {
  hostname: string;
  addresses: readonly string[];
  extraHosts: readonly string[];
  gateway: string;
}): string {
  const own = input.addresses.map((address) => `${address}\t${input.hostname}`);
  const extra = input.extraHosts.flatMap((entry) => {
    // "name:address", where the address may be IPv6 and hold colons itself.
    const at = entry.indexOf(':');
    const [name, address] = [entry.slice(0, at), entry.slice(at + 1)];
    const ip = address === HOST_GATEWAY ? input.gateway : address;
    return at > 0 && ip ? [`${ip}\t${name}`] : [];
  });
  return `${[...FIXED, ...extra, ...own].join('\n')}\n`;
}
