import { silentLogger } from '../../../common/logger.ts';
import type { MemberStatus } from '../../../manager/consensus/types.ts';
import { Dispatcher } from '../../../manager/dispatcher/dispatcher.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { Cluster, Node, Task } from '../../../proto/gen/swarm/objects.ts';
import { localStore } from '../../support/local-store.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { cluster } from './objects.ts';

export interface Harness {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly dispatcher: Dispatcher;
  /** What gossip says; undefined is no gossip. */
  readonly gossip: {
    alive: Record<string, boolean>;
    changed: (id: string, alive: boolean) => void;
  };
  readonly members: { list: MemberStatus[]; changed: () => void };
  put(objects: { cluster?: Cluster; nodes?: Node[]; tasks?: Task[] }): Promise<void>;
  node(id: string): Node;
  task(id: string): Task;
}

/** A dispatcher over a store of one, on virtual time. Not started. */
export async function harness(nodes: Node[]): Promise<Harness> {
  const clock = new VirtualClock();
  const { store } = localStore(clock);
  const members: Harness['members'] = { list: [], changed: () => undefined };
  const membership = {
    members: () => members.list,
    onMembers: (listener: () => void) => {
      members.changed = listener;
      return () => undefined;
    },
  };
  const gossip: Harness['gossip'] = { alive: {}, changed: () => undefined };
  const opinion = {
    members: () => Object.entries(gossip.alive).map(([nodeId, alive]) => ({ nodeId, alive })),
    onMembers: (listener: (nodeId: string, alive: boolean) => void) => {
      gossip.changed = listener;
      return () => undefined;
    },
  };
  const components = {
    gossip: opinion,
    store,
    membership,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
  };
  const dispatcher = new Dispatcher(components, { nodeId: 'leader' });
  const world: Harness = {
    clock,
    store,
    dispatcher,
    members,
    gossip,
    put: (objects) =>
      store.update((tx) => {
        if (objects.cluster) tx.create('cluster', objects.cluster);
        for (const item of objects.nodes ?? []) tx.create('node', item);
        for (const item of objects.tasks ?? []) tx.create('task', item);
      }),
    node: (id) => found(store.view((tx) => tx.get('node', id))),
    task: (id) => found(store.view((tx) => tx.get('task', id))),
  };
  await world.put({ cluster: cluster(), nodes });
  return world;
}

function found<T>(object: T | undefined): T {
  if (object === undefined) throw new Error('the object is not in the store');
  return object;
}

/** Reads a stream in the background. */
export class Reader<T> {
  readonly messages: T[] = [];
  readonly stop = new AbortController();
  error: unknown;
  ended = false;

  constructor(open: (signal: AbortSignal) => AsyncIterable<T>) {
    this.#read(open(this.stop.signal))
      .catch((error) => {
        this.error = error;
      })
      .finally(() => {
        this.ended = true;
      });
  }

  get last(): T {
    return found(this.messages.at(-1));
  }

  async #read(stream: AsyncIterable<T>): Promise<void> {
    for await (const message of stream) this.messages.push(message);
  }
}
