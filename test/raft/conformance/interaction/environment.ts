/** The nodes of one file, the messages between them, and where the commands print to. */

import {
  type Config,
  MemoryStorage,
  type Message,
  RawNode,
  type Snapshot,
} from '../../../../manager/raft/index.ts';
import { seededRandom } from '../../support/random.ts';
import { CommandError } from '../arguments.ts';
import { Output } from './output.ts';

/** A node with its durable log and the work of its storage threads. */
export interface EnvironmentNode {
  readonly id: number;
  readonly config: Config;
  readonly raw: RawNode;
  readonly storage: HistoryStorage;
  appendWork: Message[];
  applyWork: Message[];
}

/**
 * A log whose snapshot is always that of the last applied entry: one is recorded for each. The state
 * of the machine in it is the payloads applied so far, one after the other.
 */
class HistoryStorage extends MemoryStorage {
  readonly history: Snapshot[];

  constructor(initial: Snapshot) {
    super();
    this.history = [initial];
  }

  override snapshot(): Snapshot {
    return this.history.at(-1)!;
  }
}

export class InteractionEnvironment {
  readonly nodes: EnvironmentNode[] = [];
  /** On their way, in the order in which they were sent. */
  messages: Message[] = [];
  readonly output = new Output();

  node(id: number): EnvironmentNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new CommandError(`there is no node ${id}`);
    return node;
  }

  add(config: Omit<Config, 'id' | 'storage' | 'logger' | 'random'>, initial: Snapshot): void {
    const id = this.nodes.length + 1;
    const storage = new HistoryStorage(initial);
    if (initial.metadata.index > 0) storage.applySnapshot(initial);
    const full: Config = {
      ...config,
      id,
      storage,
      logger: this.output,
      // No output may depend on it; it is seeded so that a failure can be repeated.
      random: seededRandom(id),
    };
    const raw = new RawNode(full);
    this.nodes.push({ id, config: full, raw, storage, appendWork: [], applyWork: [] });
  }
}
