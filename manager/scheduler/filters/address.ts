import { isOverlay } from '../../allocator/networks.ts';
import { checkOf, type Filter, nodes } from './filter.ts';

/**
 * The node has an address for its load balancer on every overlay of the task, or can get one: a
 * full subnet can still take tasks to the nodes that are on it already.
 */
export const addressFilter: Filter = {
  name: 'Address',
  prepare(task, context) {
    const full = task.networks.flatMap(({ network }) =>
      network && isOverlay(network) && !context.hasFreeAddress(network.id) ? [network] : [],
    );
    if (full.length === 0) return undefined;
    return checkOf(({ node }) => {
      const missing = full.find(
        ({ id }) => !node.attachments.some(({ network }) => network?.id === id),
      );
      if (!missing) return undefined;
      const name = missing.spec?.annotations?.name ?? missing.id;
      return { wanted: `an address for the node on network ${name}`, had: 'all are in use' };
    });
  },
  summary: (count) => `no network address left for ${nodes(count)}`,
};
