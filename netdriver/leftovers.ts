import type { Bridges } from './bridge/bridges.ts';
import { deviceOf, type LocalNetworks } from './bridge/local-networks.ts';
import { HOST, type Kernel, type Link, type Netns } from './kernel/types.ts';
import { hostVeth, isOurNetns } from './names.ts';

interface Components {
  readonly kernel: Kernel;
  readonly networks: LocalNetworks;
  readonly bridges: Bridges;
}

/** Removes what earlier lives left and nobody uses: namespaces, bridges, and ports of bridges. */
export async function removeLeftovers(
  { kernel, networks, bridges }: Components,
  inUse: ReadonlySet<Netns>,
): Promise<void> {
  const stale = kernel.netnsNames().filter((name) => isOurNetns(name) && !inUse.has(name));
  for (const name of stale) {
    const vxlans = linksOf(kernel, name).filter((link) => link.vni !== undefined);
    await kernel.deleteLinks(
      name,
      vxlans.map((link) => link.name),
    );
    kernel.removeNetns(name);
  }
  const local = networks.list().filter((network) => network.driver === 'bridge');
  const used = local.filter((network) => bridges.endpoints(network.id).length > 0);
  await kernel.deleteLinks(
    HOST,
    staleHostLinks(kernel.links(HOST), {
      devices: new Set(local.map(deviceOf)),
      usedDevices: new Set(used.map(deviceOf)),
      usedPorts: new Set(
        used.flatMap(({ id }) => bridges.endpoints(id).map((e) => hostVeth(e.endpointId))),
      ),
    }),
  );
}

/** Bridges of ours with nobody on them, and ports of our bridges that belong to nobody. */
export function staleHostLinks(
  links: readonly Link[],
  ours: {
    devices: ReadonlySet<string>;
    usedDevices: ReadonlySet<string>;
    usedPorts: ReadonlySet<string>;
  },
): string[] {
  const bridges = links.filter((link) => link.kind === 'bridge' && ours.devices.has(link.name));
  const masters = new Set(bridges.map((link) => link.index));
  const ports = links.filter((link) => link.kind === 'veth' && masters.has(link.master));
  return [
    ...ports.filter((link) => !ours.usedPorts.has(link.name)),
    ...bridges.filter((link) => !ours.usedDevices.has(link.name)),
  ].map((link) => link.name);
}

function linksOf(kernel: Kernel, name: Netns): readonly Link[] {
  try {
    return kernel.links(name);
  } catch {
    return []; // A name without a namespace behind it.
  }
}
