import { Config, Network, Node, Secret, Service, Task } from '../../../proto/gen/swarm/objects.ts';

/** Small objects for tests, with just the fields that the store looks at. */
export const named = {
  service: (id: string, name = id) => Service.fromPartial({ id, spec: { annotations: { name } } }),
  network: (id: string, name = id) => Network.fromPartial({ id, spec: { annotations: { name } } }),
  secret: (id: string, name = id) => Secret.fromPartial({ id, spec: { annotations: { name } } }),
  config: (id: string, name = id) => Config.fromPartial({ id, spec: { annotations: { name } } }),
  node: (id: string, hostname = id) => Node.fromPartial({ id, description: { hostname } }),
};

export function task(id: string, fields: Parameters<typeof Task.fromPartial>[0] = {}): Task {
  return Task.fromPartial({ id, ...fields });
}
