import { SwarmError } from '../../common/errors.ts';
import type { Mount } from '../../proto/gen/containerd/types.ts';
import type { ContainerdClient } from './containerd/client.ts';
import { callMessage, ignoreNotFound, isNotFound } from './containerd/errors.ts';
import { labelFilter } from './containerd/filter.ts';

const GC_ROOT_LABEL = 'containerd.io/gc.root';

export interface SnapshotsComponents {
  readonly client: ContainerdClient;
}

/** Containers' writable layers. */
export class Snapshots {
  readonly #client: ContainerdClient;
  readonly #snapshotter: string;

  constructor(components: SnapshotsComponents, init: { snapshotter: string }) {
    this.#client = components.client;
    this.#snapshotter = init.snapshotter;
  }

  /** Throws SWM_FAILED_PRECONDITION when containerd could not load the snapshotter. */
  async check(): Promise<void> {
    const { snapshots } = this.#client;
    const request = { snapshotter: this.#snapshotter, key: 'none-of-this-name' };
    try {
      await this.#client.call(snapshots, snapshots.stat, request);
    } catch (error) {
      if (!/snapshotter not loaded/.test(callMessage(error))) return;
      throw new SwarmError(
        'SWM_FAILED_PRECONDITION',
        `containerd cannot use ${this.#snapshotter} where its state is`,
        { hint: 'Put the state directory on ext4 or xfs, not on an overlay.', cause: error },
      );
    }
  }

  /** A writable layer on `parent`, kept until it is removed. Resolves with its mounts. */
  async prepare(
    key: string,
    parent: string,
    init: { now: number; labels: Readonly<Record<string, string>> },
  ): Promise<readonly Mount[]> {
    const { snapshots } = this.#client;
    const labels = { ...init.labels, [GC_ROOT_LABEL]: new Date(init.now).toISOString() };
    const request = { snapshotter: this.#snapshotter, key, parent, labels };
    const { mounts } = await this.#client.call(snapshots, snapshots.prepare, request);
    return mounts;
  }

  async mounts(key: string): Promise<readonly Mount[]> {
    const { snapshots } = this.#client;
    const request = { snapshotter: this.#snapshotter, key };
    const { mounts } = await this.#client.call(snapshots, snapshots.mounts, request);
    return mounts;
  }

  async remove(key: string): Promise<void> {
    const { snapshots } = this.#client;
    const request = { snapshotter: this.#snapshotter, key };
    await ignoreNotFound(this.#client.call(snapshots, snapshots.remove, request));
  }

  /** Bytes of one layer alone; 0 when it is gone. */
  async usage(key: string): Promise<number> {
    const { snapshots } = this.#client;
    const request = { snapshotter: this.#snapshotter, key };
    try {
      const { size } = await this.#client.call(snapshots, snapshots.usage, request);
      return size;
    } catch (error) {
      if (isNotFound(error)) return 0;
      throw error;
    }
  }

  /** The keys that `prepare` made with all of `labels`. */
  async keys(labels: Readonly<Record<string, string>>): Promise<string[]> {
    const { snapshots } = this.#client;
    const filters = [labelFilter(labels)];
    const request = { snapshotter: this.#snapshotter, filters };
    const keys: string[] = [];
    for await (const { info } of this.#client.stream(snapshots, snapshots.list, request)) {
      keys.push(...info.map(({ name }) => name));
    }
    return keys;
  }
}
