import type { Volume } from '../../proto/gen/swarm/objects.ts';
import { hasFreeAddress } from '../allocator/addresses.ts';
import type { ReadTx } from '../store/types.ts';
import type { FilterContext } from './filters/filter.ts';

const GROUP_PREFIX = 'group:';

/** What filters ask of the store, each question answered once. */
export function filterContext(view: <T>(read: (tx: ReadTx) => T) => T): FilterContext {
  const free = new Map<string, boolean>();
  return {
    volumes: (source) => view((tx) => findVolumes(tx, source)),
    hasFreeAddress(networkId) {
      const known = free.get(networkId);
      if (known !== undefined) return known;
      const answer = view((tx) => {
        const network = tx.get('network', networkId);
        return network === undefined || hasFreeAddress(tx, network);
      });
      free.set(networkId, answer);
      return answer;
    },
  };
}

function findVolumes(tx: ReadTx, source: string): readonly Volume[] {
  if (source.startsWith(GROUP_PREFIX)) {
    const group = source.slice(GROUP_PREFIX.length);
    return [...tx.all('volume')].filter(({ spec }) => spec?.group === group);
  }
  const volume = tx.get('volume', source);
  return volume ? [volume] : tx.find('volume', { name: source });
}
