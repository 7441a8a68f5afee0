import {
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
import type { StoreObject } from '../../proto/gen/swarm/store.ts';
import type { Kind, ObjectTypes } from './types.ts';

/** Every kind, in the order in which a snapshot holds them. */
export const kinds = [
  'cluster',
  'node',
  'network',
  'service',
  'task',
  'secret',
  'config',
  'volume',
  'extension',
  'resource',
] as const satisfies readonly Kind[];

/** What any object has. */
export type AnyObject = ObjectTypes[Kind];

/** An object as the `oneof` that entries and snapshots carry. */
export function wrap(kind: Kind, object: AnyObject): StoreObject {
  return { object: { $case: kind, [kind]: object } as StoreObject['object'] };
}

/** The inverse of `wrap`; undefined for an object of a kind this version does not know. */
export function unwrap(wrapped: StoreObject | undefined): [Kind, AnyObject] | undefined {
  const inner = wrapped?.object;
  if (!inner) return undefined;
  return [inner.$case, (inner as unknown as Record<Kind, AnyObject>)[inner.$case]];
}

/** An object of `kind` with nothing but its id. */
export function emptyObject(kind: Kind, id: string): AnyObject {
  return messages[kind].fromPartial({ id });
}

/**
 * The name that is unique within its kind, case-insensitively; undefined for nodes and tasks, whose
 * names are free.
 */
export function uniqueName(kind: Kind, object: AnyObject): string | undefined {
  if (kind === 'node' || kind === 'task') return undefined;
  const named = kind === 'extension' || kind === 'resource' ? annotated(object) : specOf(object);
  return named?.annotations?.name || undefined;
}

/** Whether it is remembered when the spec was last replaced: those of tasks never are. */
export function hasSpecVersion(kind: Kind): boolean {
  return kind !== 'task';
}

/** Objects are immutable: the same spec is the same object. */
export function hasSameSpec(a: AnyObject, b: AnyObject): boolean {
  return specOf(a) === specOf(b);
}

const messages = {
  cluster: Cluster,
  node: Node,
  network: Network,
  service: Service,
  task: Task,
  secret: Secret,
  config: Config,
  volume: Volume,
  extension: Extension,
  resource: Resource,
};

interface Annotated {
  readonly annotations?: { readonly name: string } | undefined;
}

function annotated(object: AnyObject): Annotated {
  return object as Annotated;
}

function specOf(object: AnyObject): Annotated | undefined {
  return (object as { spec?: Annotated }).spec;
}
