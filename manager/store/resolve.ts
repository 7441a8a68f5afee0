import { SwarmError } from '../../common/errors.ts';
import type { Node } from '../../proto/gen/swarm/objects.ts';
import { notFound } from './errors.ts';
import type { AnyObject } from './kinds.ts';
import { taskName } from './task-name.ts';
import type { Kind, ObjectTypes, ReadTx } from './types.ts';

/**
 * Docker's look-up of whatever a user calls an object: full id, then full name, then unique id
 * prefix. A node's name is its host name, which several may share.
 * Throws SWM_NOT_FOUND ("service X not found") and SWM_INVALID_ARGUMENT ("service X is ambiguous
 * (N matches found)").
 */
export function resolveObject<K extends Kind>(tx: ReadTx, kind: K, ref: string): ObjectTypes[K] {
  const exact = tx.get(kind, ref);
  if (exact) return exact;
  if (ref === '') throw notFound(kind, ref);
  const named = byName(tx, kind, ref);
  if (named.length > 0) return single(kind, ref, named, 'name');
  return single(kind, ref, tx.find(kind, { idPrefix: ref }), 'ID prefix');
}

function byName<K extends Kind>(tx: ReadTx, kind: K, name: string): readonly ObjectTypes[K][] {
  if (kind === 'node') {
    const nodes = [...tx.all('node')].filter((node) => nodeNames(node).includes(name));
    return nodes as readonly AnyObject[] as readonly ObjectTypes[K][];
  }
  if (kind === 'task') {
    const task = tx.get('task', name.slice(name.lastIndexOf('.') + 1));
    return task && taskName(task) === name ? [task as ObjectTypes[K]] : [];
  }
  return tx.find(kind, { name });
}

function nodeNames(node: Node): (string | undefined)[] {
  return [node.description?.hostname, node.spec?.annotations?.name];
}

function single<T>(kind: Kind, ref: string, found: readonly T[], by: string): T {
  const [first] = found;
  if (first === undefined) throw notFound(kind, ref);
  if (found.length === 1) return first;
  const matches = `${found.length} matches found${kind === 'network' ? ` based on ${by}` : ''}`;
  throw new SwarmError('SWM_INVALID_ARGUMENT', `${kind} ${ref} is ambiguous (${matches})`);
}
