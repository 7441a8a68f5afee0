import { type Clock, systemClock } from '../../common/clock.ts';
import { MemoryStore } from '../../manager/store/memory-store.ts';
import { LocalProposer } from './local-proposer.ts';

/** A store that leads a cluster of one, in memory. */
export function localStore(clock: Clock = systemClock): {
  store: MemoryStore;
  proposer: LocalProposer;
} {
  const proposer = new LocalProposer();
  const store = new MemoryStore({ proposer, clock });
  proposer.attach(store);
  return { store, proposer };
}
