import { isDeepStrictEqual } from 'node:util';
import type { Commit, StoreChange } from '../../../manager/index.ts';
import type { Node, Service } from '../../../proto/gen/swarm/objects.ts';
import { nodeWords } from '../convert/node.ts';
import { updateStateOf } from '../convert/service.ts';
import type { ApiEvent, EventType } from './event-hub.ts';

const KINDS: Partial<Record<StoreChange['kind'], EventType>> = {
  service: 'service',
  node: 'node',
  network: 'network',
  secret: 'secret',
  config: 'config',
};

type Attributes = Record<string, string>;

/**
 * What a commit is to users: one event for each object that was created, removed, or changed in a
 * way they can see. Bookkeeping, such as an allocated address, is none.
 */
export function clusterEvents(commit: Commit, now: number): ApiEvent[] {
  return commit.changes.flatMap((change): ApiEvent[] => {
    const type = KINDS[change.kind];
    const changed = change.type === 'update' ? differences(change) : {};
    if (!type || !changed) return [];
    const { id, meta } = change.object;
    const time = change.type === 'create' ? meta?.createdAt : meta?.updatedAt;
    return [
      {
        type,
        action: change.type,
        id,
        attributes: { name: nameOf(change.object), ...changed },
        scope: 'swarm',
        timeMs: change.type === 'remove' ? now : (time?.getTime() ?? now),
      },
    ];
  });
}

/** Undefined when there is nothing to tell. */
function differences(change: StoreChange & { type: 'update' }): Attributes | undefined {
  if (change.kind === 'service') return serviceDifferences(change.old, change.object);
  if (change.kind === 'node') return nodeDifferences(change.old, change.object);
  return isDeepStrictEqual(specOf(change.old), specOf(change.object)) ? undefined : {};
}

function serviceDifferences(old: Service, service: Service): Attributes | undefined {
  const attributes = pairs(serviceWords(old), serviceWords(service));
  const same = Object.keys(attributes).length === 0 && isDeepStrictEqual(old.spec, service.spec);
  return same ? undefined : attributes;
}

function serviceWords({ spec, ...service }: Service): Attributes {
  const { mode, task } = spec ?? {};
  return {
    ...(mode?.$case === 'replicated' ? { replicas: String(mode.replicated.replicas) } : {}),
    ...(task?.runtime?.$case === 'container' ? { image: task.runtime.container.image } : {}),
    updatestate: updateStateOf({ spec, ...service }),
  };
}

function nodeDifferences(old: Node, node: Node): Attributes | undefined {
  const attributes = pairs(nodeWords(old), nodeWords(node));
  const same = Object.keys(attributes).length === 0 && isDeepStrictEqual(old.spec, node.spec);
  return same ? undefined : attributes;
}

/** { 'x.old', 'x.new' } for every word that is not the same in both. */
function pairs(old: Attributes, current: Attributes): Attributes {
  const changed = Object.keys(current).filter((key) => old[key] !== current[key]);
  return Object.fromEntries(
    changed.flatMap((key) => [
      [`${key}.new`, current[key] ?? ''],
      [`${key}.old`, old[key] ?? ''],
    ]),
  );
}

function specOf(object: StoreChange['object']): unknown {
  return 'spec' in object ? object.spec : undefined;
}

function nameOf(object: StoreChange['object']): string {
  const hostname = 'description' in object ? object.description : undefined;
  const spec = 'spec' in object ? object.spec : undefined;
  const name = spec && 'annotations' in spec ? spec.annotations?.name : undefined;
  return name || (typeof hostname === 'object' ? hostname.hostname : '');
}
