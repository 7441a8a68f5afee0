import { SwarmError } from '../../common/errors.ts';
import type { ObjectTypes, ReadTx } from '../../manager/index.ts';
import { badRequest, notFound } from './http/errors.ts';

/** The kinds that clients name by id, name or prefix. */
export type NamedKind = 'service' | 'node' | 'network' | 'secret' | 'config' | 'task';

/**
 * The one object that `ref` means: a full id, else a full name, else the unique prefix of an id.
 * Throws SWM_NOT_FOUND, and SWM_INVALID_ARGUMENT when several match.
 */
export function lookUp<K extends NamedKind>(tx: ReadTx, kind: K, ref: string): ObjectTypes[K] {
  const exact = tx.get(kind, ref);
  if (exact) return exact;
  const named = byName(tx, kind, ref);
  const matches = named.length > 0 ? named : tx.find(kind, { idPrefix: ref });
  const [match] = matches;
  if (!match) throw notFound(`${kind} ${ref} not found`);
  if (matches.length > 1) {
    throw badRequest(`${kind} ${ref} is ambiguous (${matches.length} matches found)`);
  }
  return match;
}

/** The swarm's only cluster object. */
export function clusterOf(tx: ReadTx): ObjectTypes['cluster'] {
  for (const cluster of tx.all('cluster')) return cluster;
  throw new SwarmError('SWM_UNAVAILABLE', 'the swarm has no cluster object yet');
}

function byName<K extends NamedKind>(tx: ReadTx, kind: K, ref: string): readonly ObjectTypes[K][] {
  if (kind === 'node') {
    const nodes = [...tx.all('node')].filter((node) => node.description?.hostname === ref);
    return nodes as ObjectTypes[K][];
  }
  if (kind === 'task') {
    // A task's name ends with its id: web.1.<id>.
    const task = ref.includes('.') ? tx.get(kind, ref.slice(ref.lastIndexOf('.') + 1)) : undefined;
    return task ? [task] : [];
  }
  // The store's names ignore case; the API's do not.
  return tx.find(kind, { name: ref }).filter((object) => nameOf(object) === ref);
}

function nameOf(object: ObjectTypes[NamedKind]): string {
  const spec = object.spec;
  return (spec && 'annotations' in spec ? spec.annotations?.name : undefined) ?? '';
}
