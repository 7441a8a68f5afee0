import type { Clock } from '../../common/clock.ts';
import { errorMessage, isSwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Startable } from '../../common/startable.ts';
import { TriggerLoop } from '../../common/trigger-loop.ts';
import type { Node } from '../../proto/gen/swarm/objects.ts';
import { NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import type { Commit, Store } from '../store/types.ts';

/**
 * How long a node may take from its certificate to its first session. It is a matter of seconds; but
 * a machine goes on trying for as long as its daemon runs, and after each start of it, so that one
 * which was switched off in the middle, or cut off overnight, is still let in. After a day, as long
 * as tasks are waited for that run on a node which is away, somebody has given it up.
 */
export const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;
const RETRY_MS = 60_000;

export interface JoinReaperComponents {
  readonly store: Pick<Store, 'view' | 'subscribe'>;
  /** Of Raft. */
  readonly members: () => readonly { readonly nodeId: string }[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** As by `node rm` without force: throws SWM_FAILED_PRECONDITION for a node that is ready. */
  readonly removeNode: (nodeId: string) => Promise<void>;
}

/**
 * Whether a node got a certificate and nothing more: it never introduced itself, is no manager among
 * `members`, and no user has made it his own by a name, a label, or another role or availability.
 */
export function neverArrived(node: Node, members: ReadonlySet<string>): boolean {
  const { description, certificate, spec } = node;
  if (description || members.has(node.id) || !certificate || !spec) return false;
  const { name = '', labels = {} } = spec.annotations ?? {};
  if (name !== '' || Object.keys(labels).length > 0) return false;
  return (
    spec.desiredRole === certificate.role && spec.availability === NodeSpec_Availability.ACTIVE
  );
}

/**
 * Removes the nodes that never arrived, while this manager leads: what is left of joins that failed
 * and could not be withdrawn. The time counts from when this leader first saw the node, by its
 * monotonic clock. So nobody is judged by a time at which nobody led, by a backup that is old, or by
 * a clock that was set; a new leader waits anew.
 */
export class JoinReaper implements Startable {
  readonly #components: JoinReaperComponents;
  readonly #loop: TriggerLoop;
  readonly #seen = new Map<string, number>();
  #unsubscribe = () => {};

  constructor(components: JoinReaperComponents) {
    this.#components = components;
    this.#loop = new TriggerLoop(components, {
      act: () => this.#act(),
      retryMs: RETRY_MS,
      onFailure: (error) => {
        const details = { err: errorMessage(error) };
        components.logger.warn(details, 'nodes that never arrived could not be removed');
      },
    });
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#components.store.subscribe((commit) => this.#onCommit(commit));
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#loop.stop();
  }

  #onCommit({ changes, restored }: Commit): void {
    const admitted = changes.some(({ kind, type }) => kind === 'node' && type === 'create');
    if (admitted || restored) this.#loop.fire();
  }

  async #act(): Promise<void> {
    const now = this.#components.clock.monotonic();
    this.#look(now);
    const isDue = (since: number) => since + ABANDONED_AFTER_MS <= now;
    for (const [nodeId, since] of [...this.#seen]) if (isDue(since)) await this.#remove(nodeId);
    const oldest = Math.min(...this.#seen.values());
    if (this.#seen.size > 0) this.#loop.fireIn(oldest + ABANDONED_AFTER_MS - now);
  }

  /** Who has arrived meanwhile, or is gone, is forgotten. */
  #look(now: number): void {
    const { store } = this.#components;
    const members = new Set(this.#components.members().map(({ nodeId }) => nodeId));
    const missing = store.view((tx) =>
      [...tx.all('node')].filter((node) => neverArrived(node, members)),
    );
    const ids = new Set(missing.map(({ id }) => id));
    for (const nodeId of [...this.#seen.keys()]) if (!ids.has(nodeId)) this.#seen.delete(nodeId);
    for (const nodeId of ids) if (!this.#seen.has(nodeId)) this.#seen.set(nodeId, now);
  }

  async #remove(nodeId: string): Promise<void> {
    const { removeNode, logger } = this.#components;
    try {
      await removeNode(nodeId);
      logger.info({ nodeId }, 'removed a node that never arrived: its join must have failed');
    } catch (error) {
      // It arrived in this moment, or somebody else removed it.
      if (!isSwarmError(error, 'SWM_FAILED_PRECONDITION', 'SWM_NOT_FOUND')) throw error;
    }
    this.#seen.delete(nodeId);
  }
}
