import type { MemberStatus, ReadTx } from '../../../manager/index.ts';
import type { Node } from '../../../proto/gen/swarm/objects.ts';
import { NodeSpec_Membership as Membership } from '../../../proto/gen/swarm/specs.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import type { RouteGroup } from '../components.ts';
import { nodeSpecFromApi, nodeToApi } from '../convert/node.ts';
import { requireManager } from '../guards.ts';
import { Filters } from '../http/filters.ts';
import { readJson } from '../http/json-body.ts';
import { sendList } from '../http/json-list.ts';
import { Query } from '../http/query.ts';
import { lookUp } from '../lookup.ts';

const FILTERS = ['id', 'label', 'membership', 'name', 'node.label', 'role'];

interface ById {
  Params: { id: string };
}

export const nodeRoutes: RouteGroup = (app, components) => {
  const { node } = components;

  app.get('/nodes', async (request, reply) => {
    const manager = requireManager(node);
    const filters = new Filters(request, FILTERS);
    const nodes = await manager.read((tx) => [...tx.all('node')]);
    const members = byNode(manager.members());
    return sendList(reply, components, nodes, (found) =>
      matches(filters, found) ? nodeToApi(found, members.get(found.id)) : undefined,
    );
  });

  app.get<ById>('/nodes/:id', async (request) => {
    const manager = requireManager(node);
    const found = await manager.read((tx) => lookUp(tx, 'node', request.params.id));
    return nodeToApi(found, byNode(manager.members()).get(found.id));
  });

  app.post<ById>('/nodes/:id/update', async (request, reply) => {
    const manager = requireManager(node);
    const version = new Query(request).version('node');
    const spec = nodeSpecFromApi(await readJson(request));
    const id = await manager.read(idOf(request.params.id));
    await manager.control.updateNode(id, version, spec);
    return reply.send();
  });

  app.delete<ById>('/nodes/:id', async (request, reply) => {
    const manager = requireManager(node);
    const id = await manager.read(idOf(request.params.id));
    await manager.control.removeNode(id, new Query(request).flag('force'));
    return reply.send();
  });
};

function idOf(ref: string) {
  return (tx: ReadTx) => lookUp(tx, 'node', ref).id;
}

function byNode(members: readonly MemberStatus[]): Map<string, MemberStatus> {
  return new Map(members.map((member) => [member.nodeId, member]));
}

function matches(filters: Filters, node: Node): boolean {
  const role = node.role === NodeRole.MANAGER ? 'manager' : 'worker';
  const pending = node.spec?.membership === Membership.PENDING;
  return (
    filters.prefix('id', node.id) &&
    filters.prefix('name', node.description?.hostname ?? '') &&
    filters.is('role', role) &&
    filters.is('membership', pending ? 'pending' : 'accepted') &&
    filters.labels('label', node.description?.engine?.labels ?? {}) &&
    filters.labels('node.label', node.spec?.annotations?.labels ?? {})
  );
}
