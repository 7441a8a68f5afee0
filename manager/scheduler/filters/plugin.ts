import type { Node, Task } from '../../../proto/gen/swarm/objects.ts';
import { Mount_MountType as MountType } from '../../../proto/gen/swarm/specs.ts';
import type { PluginDescription } from '../../../proto/gen/swarm/types.ts';
import { checkOf, type Filter, nodes } from './filter.ts';

/** The node has the volume, network and log drivers of the task. */
export const pluginFilter: Filter = {
  name: 'Plugin',
  prepare(task) {
    const wanted = wantedPlugins(task);
    if (wanted.length === 0) return undefined;
    return checkOf(({ node }) => {
      const missing = wanted.find((plugin) => !hasPlugin(node, plugin));
      if (!missing) return undefined;
      const had = pluginsOf(node, missing.type).map(({ name }) => name);
      return {
        wanted: `${missing.type.toLowerCase()} plugin ${missing.name}`,
        had: had.join(', ') || 'none',
      };
    });
  },
  summary: (count) => `missing plugin on ${nodes(count)}`,
};

function wantedPlugins(task: Task): PluginDescription[] {
  const container = task.spec?.runtime?.$case === 'container' ? task.spec.runtime.container : null;
  const wanted: PluginDescription[] = [];
  for (const { type, volumeOptions } of container?.mounts ?? []) {
    const name = volumeOptions?.driverConfig?.name ?? '';
    if (type === MountType.VOLUME && name && name !== 'local')
      wanted.push({ type: 'Volume', name });
  }
  for (const { network } of task.networks) {
    const name = network?.driverState?.name;
    if (name) wanted.push({ type: 'Network', name });
  }
  const log = (task.spec?.logDriver ?? task.logDriver)?.name;
  if (log && log !== 'none') wanted.push({ type: 'Log', name: log });
  return wanted;
}

function hasPlugin(node: Node, { type, name }: PluginDescription): boolean {
  const plugins = pluginsOf(node, type);
  // Every node has volumes, but not every one lists its network and log drivers.
  if (plugins.length === 0 && type !== 'Volume') return true;
  return plugins.some((plugin) => plugin.name === name || plugin.name === `${name}:latest`);
}

function pluginsOf({ description }: Node, type: string): PluginDescription[] {
  return (description?.engine?.plugins ?? []).filter((plugin) => plugin.type === type);
}
