import type { Clock } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Startable } from '../../common/startable.ts';
import { TriggerLoop } from '../../common/trigger-loop.ts';
import type { Commit, ReadTx, Store } from '../store/types.ts';
import { signingRootOf } from './cluster-root.ts';
import {
  finishedRotation,
  nextRotationStep,
  type RotationStep,
  toldToRotate,
} from './root-rotation.ts';

/** So many nodes are told per period that they must renew: each asks the leader for a signature. */
const BATCH = 30;
const PERIOD_MS = 3_000;
/** How long the answer of a node that was told may take to be seen. */
const TOLD_LATELY_MS = 10_000;

export interface RootRotatorComponents {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface RootRotatorInit {
  readonly clusterId: string;
}

/**
 * Brings every node to the root that signs now, while this manager leads, and then ends the
 * rotation. It looks again whenever nodes or the cluster change, and every 3 s while it waits.
 */
export class RootRotator implements Startable {
  readonly #components: RootRotatorComponents;
  readonly #clusterId: string;
  readonly #loop: TriggerLoop;
  /** When a node was told, in milliseconds of the monotonic clock. */
  readonly #told = new Map<string, number>();
  #toldFor = '';
  #unsubscribe = () => {};
  #nextBatchAt = 0;

  constructor(components: RootRotatorComponents, init: RootRotatorInit) {
    this.#components = components;
    this.#clusterId = init.clusterId;
    this.#loop = new TriggerLoop(components, {
      act: () => this.#act(),
      retryMs: PERIOD_MS,
      onFailure: (error) => {
        const { logger } = components;
        logger.warn({ err: errorMessage(error) }, 'the rotation of the root CA is tried again');
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
    const concerns = changes.some(({ kind }) => kind === 'node' || kind === 'cluster');
    if (restored || concerns) this.#loop.fire();
  }

  async #act(): Promise<void> {
    const step = this.#components.store.view((tx) => this.#look(tx));
    if (!step) return;
    if (step.finished) await this.#finish();
    else if (step.tell.length > 0) await this.#tell(step);
    if (step.waiting.length > 0) this.#loop.fireIn(PERIOD_MS);
  }

  #look(tx: ReadTx): RotationStep | undefined {
    const rootCa = tx.get('cluster', this.#clusterId)?.rootCa;
    const now = this.#components.clock.monotonic();
    this.#forgetOtherRoots(signingRootOf(rootCa).certificatePem);
    return (
      rootCa &&
      nextRotationStep(rootCa, tx.all('node'), {
        limit: now < this.#nextBatchAt ? 0 : BATCH,
        toldLately: (nodeId) => now - (this.#told.get(nodeId) ?? -Infinity) < TOLD_LATELY_MS,
      })
    );
  }

  /** Who was told to renew for another root must be told again. */
  #forgetOtherRoots(rootPem: string): void {
    if (rootPem !== this.#toldFor) this.#told.clear();
    this.#toldFor = rootPem;
  }

  async #tell({ tell, waiting }: RotationStep): Promise<void> {
    const { store, clock, logger } = this.#components;
    const now = clock.monotonic();
    this.#nextBatchAt = now + PERIOD_MS;
    await store.batch(tell, (tx, id) => {
      const node = tx.get('node', id);
      if (node) tx.update('node', toldToRotate(node));
    });
    for (const id of tell) this.#told.set(id, now);
    const counts = { told: tell.length, waiting: waiting.length };
    logger.info(counts, 'nodes are to renew their certificates');
  }

  async #finish(): Promise<void> {
    const { store, random, logger } = this.#components;
    const hash = await store.update((tx) => {
      const cluster = tx.get('cluster', this.#clusterId);
      // Somebody may have joined, or begun another rotation, since.
      if (!cluster?.rootCa || !this.#look(tx)?.finished) return undefined;
      const rootCa = finishedRotation(cluster.rootCa, random);
      tx.update('cluster', { ...cluster, rootCa });
      return rootCa.caCertHash;
    });
    if (hash === undefined) return;
    this.#told.clear();
    logger.info(
      { root: hash },
      'every node has a certificate of the new root CA; the old one is gone',
    );
  }
}
