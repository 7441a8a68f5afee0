import type {
  Cluster,
  Config,
  Extension,
  Network,
  Node,
  Resource,
  Secret,
  Service,
  Task,
  Volume,
} from '../../proto/gen/swarm/objects.ts';
import type { NodeRole, TaskState } from '../../proto/gen/swarm/types.ts';

/** The ten kinds of objects, by the name that addresses them everywhere. */
export interface ObjectTypes {
  cluster: Cluster;
  node: Node;
  network: Network;
  service: Service;
  task: Task;
  secret: Secret;
  config: Config;
  volume: Volume;
  extension: Extension;
  resource: Resource;
}

export type Kind = keyof ObjectTypes;

/**
 * What an index answers. Kinds without the index never match. An address on a network is held by
 * services (virtual IPs), nodes (load balancers) and tasks whose observed state is at most RUNNING.
 */
export type Selector =
  | { readonly name: string } // case-insensitive; not nodes and tasks
  | { readonly namePrefix: string }
  | { readonly idPrefix: string }
  | { readonly serviceId: string } // tasks
  | { readonly nodeId: string } // tasks
  | { readonly slot: { readonly serviceId: string; readonly slot: number } } // tasks
  | { readonly desiredState: TaskState } // tasks
  | { readonly networkId: string } // tasks and services that reference it, nodes attached to it
  | { readonly address: { readonly networkId: string; readonly ip: string } }
  | { readonly publishedPort: { readonly protocol: number; readonly port: number } } // services
  | { readonly secretId: string } // tasks and services
  | { readonly configId: string } // tasks and services
  | { readonly role: NodeRole }; // nodes, observed role

/**
 * A consistent view. Valid only during the synchronous callback that received it; the objects in it
 * are immutable and may be kept.
 */
export interface ReadTx {
  get<K extends Kind>(kind: K, id: string): ObjectTypes[K] | undefined;
  /** In no particular order. */
  find<K extends Kind>(kind: K, by: Selector): readonly ObjectTypes[K][];
  all<K extends Kind>(kind: K): Iterable<ObjectTypes[K]>;
  count(kind: Kind): number;
}

export interface WriteTx extends ReadTx {
  /** Throws SWM_CONFLICT on a taken id or name. `meta` is filled in. */
  create<K extends Kind>(kind: K, object: ObjectTypes[K]): void;
  /**
   * Replaces an object. Throws SWM_NOT_FOUND, SWM_CONFLICT on a taken name, and SWM_OUT_OF_SEQUENCE
   * ("update out of sequence") unless `object.meta.version` is the version of the object in this
   * transaction's view. Code that read the object in the same transaction always passes.
   * `meta.specVersion` becomes the new version unless `object.spec` is the very spec of the object
   * in this view: writers keep the specs that they do not replace.
   */
  update<K extends Kind>(kind: K, object: ObjectTypes[K]): void;
  /** Throws SWM_NOT_FOUND. */
  remove(kind: Kind, id: string): void;
}

export type StoreChange = {
  [K in Kind]:
    | { readonly type: 'create'; readonly kind: K; readonly object: ObjectTypes[K] }
    | {
        readonly type: 'update';
        readonly kind: K;
        readonly object: ObjectTypes[K];
        readonly old: ObjectTypes[K];
      }
    | { readonly type: 'remove'; readonly kind: K; readonly object: ObjectTypes[K] };
}[Kind];

/** All that one committed transaction changed, in order. */
export interface Commit {
  readonly index: number;
  readonly changes: readonly StoreChange[];
  /** True after a snapshot was restored: `changes` is empty, everything may differ. */
  readonly restored: boolean;
}

export interface Store {
  /** Reads the committed state. */
  view<T>(read: (tx: ReadTx) => T): T;
  /**
   * Runs `write` at once against the newest proposed state, proposes what it changed, and resolves
   * with its result when that is committed and visible to `view`. A `write` that throws proposes
   * nothing and rejects with what it threw; one that changes nothing resolves once everything it
   * could have read is committed. Rejects with SWM_NOT_LEADER, and with SWM_UNAVAILABLE when
   * leadership went away in between (the write may or may not survive).
   * At most 200 changes and 1.5 MiB; use `batch` for more.
   */
  update<T>(write: (tx: WriteTx) => T): Promise<T>;
  /** Splits `items` over as many transactions as their changes need. */
  batch<I>(items: Iterable<I>, write: (tx: WriteTx, item: I) => void): Promise<void>;
  /**
   * Calls `listener` synchronously after each commit, in order, without gaps. A listener must not
   * throw and must not block: it notes what changed and returns.
   */
  subscribe(listener: (commit: Commit) => void): () => void;
  /** The Raft index of the last applied entry. */
  readonly appliedIndex: number;
  /** Resolves when `appliedIndex >= index`. */
  waitApplied(index: number, signal?: AbortSignal): Promise<void>;
}
