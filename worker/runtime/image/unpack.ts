import { createHash } from 'node:crypto';
import { SwarmError } from '../../../common/errors.ts';
import { ApplyRequest } from '../../../proto/gen/containerd/diff.ts';
import type { ContainerdClient } from '../containerd/client.ts';
import { ignoreNotFound, isAlreadyExists, isNotFound } from '../containerd/errors.ts';
import type { Descriptor } from './types.ts';

/** The snapshot name of each layer with all below it (OCI image spec, "Layer ChainID"). */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : sha256Text(`${parent} ${diffId}`));
  }
  return chain;
}

export interface UnpackerComponents {
  readonly client: ContainerdClient;
  readonly snapshotter: string;
}

/** Turns layers in the content store into committed snapshots. */
export class Unpacker {
  readonly #client: ContainerdClient;
  readonly #snapshotter: string;
  /** Layers being applied, by chain id: images that share them wait for each other. */
  readonly #active = new Map<string, Promise<void>>();

  constructor(components: UnpackerComponents) {
    this.#client = components.client;
    this.#snapshotter = components.snapshotter;
  }

  async has(chainId: string): Promise<boolean> {
    try {
      const { snapshots } = this.#client;
      const request = { snapshotter: this.#snapshotter, key: chainId };
      await this.#client.call(snapshots, snapshots.stat, request);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Applies one layer on its parent (`''` for the lowest). Idempotent. */
  async apply(
    layer: Descriptor,
    ids: { chainId: string; parent: string; diffId: string },
    lease: string,
  ): Promise<void> {
    const running = this.#active.get(ids.chainId);
    if (running) return running;
    const work = this.#applyOnce(layer, ids, lease).finally(() => {
      this.#active.delete(ids.chainId);
    });
    this.#active.set(ids.chainId, work);
    return work;
  }

  /** Keeps a snapshot that exists already; false when there is none. */
  async #hold(chainId: string, lease: string): Promise<boolean> {
    const { leases } = this.#client;
    const resource = { id: chainId, type: `snapshots/${this.#snapshotter}` };
    try {
      await this.#client.call(leases, leases.addResource, { id: lease, resource });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return this.has(chainId);
  }

  async #applyOnce(
    layer: Descriptor,
    { chainId, parent, diffId }: { chainId: string; parent: string; diffId: string },
    lease: string,
  ): Promise<void> {
    if (await this.#hold(chainId, lease)) return;
    const { diff, snapshots } = this.#client;
    const snapshotter = this.#snapshotter;
    const key = `extract-${chainId}`;
    const init = { lease };
    await ignoreNotFound(
      this.#client.call(snapshots, snapshots.remove, { snapshotter, key }, init),
    );
    const prepare = { snapshotter, key, parent, labels: {} };
    const { mounts } = await this.#client.call(snapshots, snapshots.prepare, prepare, init);
    try {
      const { mediaType, digest, size } = layer;
      const request = ApplyRequest.fromPartial({ diff: { mediaType, digest, size }, mounts });
      const { applied } = await this.#client.call(diff, diff.apply, request, init);
      if (applied?.digest !== diffId) {
        throw new SwarmError(
          'SWM_INTERNAL',
          `layer ${digest} has content ${applied?.digest}, its image says ${diffId}`,
        );
      }
      const commit = { snapshotter, name: chainId, key, labels: {} };
      await this.#client.call(snapshots, snapshots.commit, commit, init);
    } catch (error) {
      await this.#client.call(snapshots, snapshots.remove, { snapshotter, key }).catch(() => {});
      if (!isAlreadyExists(error)) throw error;
    }
  }
}

function sha256Text(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
