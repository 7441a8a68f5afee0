import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import type { ExternalCaComponents } from '../ca/index.ts';
import type { ConsensusApi } from '../consensus/types.ts';
import { outOfSequence } from '../store/errors.ts';
import type { Kind, ObjectTypes, ReadTx, Store, WriteTx } from '../store/types.ts';

/** What the control operations of a leader work with. */
export interface ControlContext {
  readonly store: Store;
  readonly members: Pick<ConsensusApi, 'members' | 'confirmRemoval'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly clusterId: string;
  /** How CAs outside of the swarm are asked to sign. */
  readonly external: ExternalCaComponents;
}

export function now(context: ControlContext): Date {
  return new Date(context.clock.now());
}

/** Throws SWM_NOT_FOUND ("service X not found"). */
export function requireObject<K extends Kind>(tx: ReadTx, kind: K, id: string): ObjectTypes[K] {
  const object = tx.get(kind, id);
  if (object) return object;
  throw new SwarmError('SWM_NOT_FOUND', `${kind} ${id} not found`);
}

/**
 * Runs `write`, whose result is the object of `kind` as it should be, and resolves with that object
 * as the store has it after the commit.
 */
export async function writeObject<K extends Kind>(
  context: ControlContext,
  kind: K,
  write: (tx: WriteTx) => ObjectTypes[K],
): Promise<ObjectTypes[K]> {
  const { store } = context;
  const written = await store.update(write);
  // Somebody may have removed it since; then what was written is the best answer.
  return store.view((tx) => tx.get(kind, written.id)) ?? written;
}

/**
 * Throws SWM_OUT_OF_SEQUENCE unless `version` is one at which `object` had the spec that it has now:
 * a client that read it then replaces a spec that it knows. What the swarm itself has written about
 * the object since then (the state of a node, the progress of an update) is no conflict.
 */
export function refuseStale({ meta }: ObjectTypes[Kind], version: number): void {
  const newest = meta?.version?.index ?? 0;
  const oldest = meta?.specVersion?.index ?? newest;
  if (version < oldest || version > newest) throw outOfSequence();
}
