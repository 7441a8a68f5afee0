import { PortConfig_Protocol as Protocol } from '../../../proto/gen/swarm/types.ts';
import { taskName } from '../../store/task-name.ts';
import { hostPorts } from '../node-info.ts';
import { checkOf, type Filter, nodes } from './filter.ts';

/** Each host port that the task publishes is free on the node. */
export const hostPortFilter: Filter = {
  name: 'HostPort',
  prepare(task) {
    const ports = hostPorts(task);
    if (ports.length === 0) return undefined;
    return checkOf((info) => {
      for (const port of ports) {
        const holder = info.portHolder(port);
        if (!holder) continue;
        const protocol = Protocol[port.protocol]?.toLowerCase();
        return {
          wanted: `host port ${port.publishedPort}/${protocol}`,
          had: `in use by task ${taskName(holder)}`,
        };
      }
      return undefined;
    });
  },
  summary: (count) => `host-mode port already in use on ${nodes(count)}`,
};
