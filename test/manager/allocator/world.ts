import { allocateNetwork } from '../../../manager/allocator/network.ts';
import { attachNode } from '../../../manager/allocator/node.ts';
import { allocateService } from '../../../manager/allocator/service.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import {
  Cluster,
  Network,
  type NetworkAttachment,
  Node,
  Service,
  Task,
} from '../../../proto/gen/swarm/objects.ts';
import type { EndpointSpec, NetworkSpec } from '../../../proto/gen/swarm/specs.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';

type Partial<T> = T extends { fromPartial(object: infer P): unknown } ? P : never;

/** Writes networks, services, tasks and nodes the way the control API and orchestrators do. */
export class World {
  readonly store: MemoryStore;

  constructor(store: MemoryStore) {
    this.store = store;
  }

  cluster(fields: Partial<typeof Cluster> = {}): Promise<void> {
    const cluster = Cluster.fromPartial({ id: 'c', ...fields });
    return this.store.update((tx) => tx.create('cluster', cluster));
  }

  network(id: string, spec: Partial<typeof NetworkSpec> = {}): Promise<Network> {
    return this.store.update((tx) => {
      const network = Network.fromPartial({ id, spec: { annotations: { name: id }, ...spec } });
      tx.create('network', allocateNetwork(tx, network));
      return tx.get('network', id) as Network;
    });
  }

  ingress(): Promise<Network> {
    return this.network('ingress', { ingress: true });
  }

  service(
    id: string,
    networks: string[] = [],
    endpoint?: Partial<typeof EndpointSpec>,
  ): Promise<Service> {
    return this.store.update((tx) => {
      const old = tx.get('service', id);
      const service = Service.fromPartial({
        id,
        spec: {
          annotations: { name: id },
          task: { networks: networks.map((target) => ({ target })) },
          ...(endpoint ? { endpoint } : {}),
        },
      });
      const next = allocateService(tx, { ...service, endpoint: old?.endpoint, meta: old?.meta });
      if (old) tx.update('service', next);
      else tx.create('service', next);
      return tx.get('service', id) as Service;
    });
  }

  task(id: string, networks: string[] = [], fields: Partial<typeof Task> = {}): Promise<void> {
    return this.tasks([id], networks, fields);
  }

  tasks(ids: string[], networks: string[] = [], fields: Partial<typeof Task> = {}): Promise<void> {
    return this.store.batch(ids, (tx, id) => {
      const spec = { networks: networks.map((target) => ({ target })) };
      const desiredState = TaskState.RUNNING;
      const status = { state: TaskState.NEW, message: 'created' };
      tx.create('task', Task.fromPartial({ id, desiredState, spec, status, ...fields }));
    });
  }

  node(id: string): Promise<void> {
    return this.store.update((tx) => tx.create('node', Node.fromPartial({ id })));
  }

  /** What scheduler, agent and dispatcher do: a new state, on a node. */
  move(id: string, state: TaskState, nodeId?: string): Promise<void> {
    return this.store.update((tx) => {
      const task = tx.get('task', id) as Task;
      const next = { ...task, status: { ...task.status!, state }, nodeId: nodeId ?? task.nodeId };
      if (nodeId) attachNode(tx, nodeId, [next]);
      tx.update('task', next);
    });
  }

  remove(kind: 'task' | 'service' | 'network' | 'node', id: string): Promise<void> {
    return this.store.update((tx) => tx.remove(kind, id));
  }

  get(id: string): Task {
    return this.store.view((tx) => tx.get('task', id)) as Task;
  }

  state(id: string): TaskState | undefined {
    return this.get(id).status?.state;
  }
}

export function addressesOf(attachments: readonly NetworkAttachment[]): string[] {
  return attachments.flatMap(({ addresses }) => addresses);
}
