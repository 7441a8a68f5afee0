import type { Node, Task, Volume } from '../../../proto/gen/swarm/objects.ts';
import {
  VolumeSpec_VolumeAvailability as Availability,
  Mount_MountType as MountType,
} from '../../../proto/gen/swarm/specs.ts';
import type { Topology } from '../../../proto/gen/swarm/types.ts';
import { checkOf, type Filter, nodes } from './filter.ts';

/** Each cluster volume that the task mounts can be used on the node. */
export const volumeFilter: Filter = {
  name: 'Volumes',
  prepare(task, context) {
    const wanted = clusterSources(task).map((source) => ({
      source,
      volumes: context.volumes(source).filter(isUsable),
    }));
    if (wanted.length === 0) return undefined;
    return checkOf(({ node }) => {
      const missing = wanted.find(({ volumes }) => !volumes.some((volume) => fits(volume, node)));
      if (!missing) return undefined;
      const had = missing.volumes.length === 0 ? 'no such volume in use' : 'not accessible here';
      return { wanted: `cluster volume ${missing.source}`, had };
    });
  },
  summary: (count) => `cannot fulfill requested CSI volume mounts on ${nodes(count)}`,
};

function clusterSources({ spec }: Task): string[] {
  if (spec?.runtime?.$case !== 'container') return [];
  const { mounts } = spec.runtime.container;
  return mounts.filter(({ type }) => type === MountType.CLUSTER).map(({ source }) => source);
}

function isUsable({ spec, pendingDelete, volumeInfo }: Volume): boolean {
  return Boolean(volumeInfo) && !pendingDelete && spec?.availability === Availability.ACTIVE;
}

/** The node runs the volume's driver and lies in one of the topologies that reach it. */
function fits({ spec, volumeInfo }: Volume, { description }: Node): boolean {
  const plugin = description?.csiInfo.find(({ pluginName }) => pluginName === spec?.driver?.name);
  if (!plugin) return false;
  const reachable = volumeInfo?.accessibleTopology ?? [];
  return reachable.length === 0 || reachable.some((one) => liesIn(plugin.accessibleTopology, one));
}

function liesIn(node: Topology | undefined, wanted: Topology): boolean {
  return Object.entries(wanted.segments).every(([key, value]) => node?.segments[key] === value);
}
