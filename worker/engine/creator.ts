import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { newHexId } from '../../common/ids.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Mount } from '../../proto/gen/containerd/types.ts';
import { parsePlatform, platformText } from '../runtime/image/platform.ts';
import { noSuchImage, type StoredImage } from '../runtime/image/store.ts';
import { chainIds } from '../runtime/image/unpack.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { mergeConfig } from './config-merge.ts';
import { ContainerEntry } from './container.ts';
import type { EventBus } from './events.ts';
import type { InjectedFiles } from './injected-files.ts';
import { copyImageContent, makeMountPoints } from './mount-points.ts';
import { inheritedMounts, type MountRequest, mountRequests } from './mounts.ts';
import { checkName, generateName } from './names.ts';
import { requestedNetworks, sandboxMode } from './network-plan.ts';
import { type ContainerRecord, type MountPoint, newState } from './record.ts';
import type { ContainerTable } from './table.ts';
import type { ContainerCreateBody, EngineApi, HostConfig } from './types.ts';
import { UndoStack } from './undo.ts';
import { validate } from './validate.ts';
import type { Volumes } from './volumes.ts';

export interface CreatorComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly table: ContainerTable;
  readonly volumes: Volumes;
  readonly files: InjectedFiles;
  readonly events: EventBus;
}

export interface CreatorInit {
  readonly dir: string;
  readonly cpus: number;
  /** Mark our snapshots in a containerd that others use too. */
  readonly labels: Readonly<Record<string, string>>;
}

type CreateOptions = Parameters<EngineApi['create']>[1];

/** Makes containers: everything that can be decided before they start. */
export class Creator {
  readonly #parts: CreatorComponents;
  readonly #dir: string;
  readonly #cpus: number;
  readonly #labels: Readonly<Record<string, string>>;

  constructor(components: CreatorComponents, init: CreatorInit) {
    this.#parts = components;
    this.#dir = init.dir;
    this.#cpus = init.cpus;
    this.#labels = init.labels;
  }

  async create(
    body: ContainerCreateBody,
    options: CreateOptions,
  ): Promise<{ id: string; warnings: string[] }> {
    const { events, logger, random, table } = this.#parts;
    const id = newHexId(random);
    const name = options.name?.replace(/^\//, '') || generateName(random, (n) => table.hasName(n));
    checkName(name);
    table.reserve(name, id);
    const undo = new UndoStack({ logger });
    undo.push(() => table.release(name));
    try {
      const image = await this.#image(body.Image, options.platform);
      const record = await this.#prepare({ id, name, body, image, options }, undo);
      await table.add(new ContainerEntry(record));
      events.container('create', record);
      return { id, warnings: this.#warnings(image, options.platform) };
    } catch (error) {
      await undo.unwind();
      throw error;
    }
  }

  async #prepare(
    wanted: {
      id: string;
      name: string;
      body: ContainerCreateBody;
      image: StoredImage;
      options: CreateOptions;
    },
    undo: UndoStack,
  ): Promise<ContainerRecord> {
    const { clock, files, runtime, volumes } = this.#parts;
    const { id, name, body, image, options } = wanted;
    const { HostConfig: givenHost, NetworkingConfig, ...own } = body;
    const hostConfig: HostConfig = { ...givenHost };
    const config = mergeConfig(own, image.config.config ?? {});
    validate(config, hostConfig, { cpus: this.#cpus });
    const requests = mountRequests(config, hostConfig, this.#inherited(hostConfig));
    const task = options.task;
    const ownNetworks =
      !task || (task.endpoints.length === 0 && sandboxMode(hostConfig) !== 'none');
    const networks = ownNetworks
      ? requestedNetworks(hostConfig, NetworkingConfig?.EndpointsConfig ?? {})
      : {};

    const dir = join(this.#dir, id);
    undo.push(() => rm(dir, { recursive: true, force: true }));
    await mkdir(dir, { recursive: true, mode: 0o710 });
    const parent = chainIds(image.config.rootfs.diff_ids).at(-1) ?? '';
    undo.push(() => runtime.snapshots.remove(id));
    const rootfs = await runtime.snapshots.prepare(id, parent, {
      now: clock.now(),
      labels: this.#labels,
    });
    const mounts = await makeMountPoints(requests, volumes, undo);
    await this.#fillVolumes(id, requests, mounts, rootfs);
    undo.push(() => files.remove(id));
    const injected = await files.write(id, task?.files ?? []);
    return {
      id,
      name,
      createdAt: clock.now(),
      config,
      hostConfig,
      networks,
      imageId: image.id,
      mounts,
      injected,
      taskId: task?.taskId ?? '',
      taskEndpoints: task?.endpoints ?? [],
      state: newState,
      healthLog: [],
      failingStreak: 0,
      restartCount: 0,
      stoppedByUser: false,
      attachments: [],
    };
  }

  /** With the volumes mounted meanwhile, should they be mounts. */
  async #fillVolumes(
    id: string,
    requests: readonly MountRequest[],
    mounts: readonly MountPoint[],
    rootfs: readonly Mount[],
  ): Promise<void> {
    const { volumes } = this.#parts;
    const names = mounts.flatMap(({ name, type }) => (type === 'volume' ? [name] : []));
    await volumes.acquire(names, id);
    try {
      const mountDir = join(this.#dir, id, 'mount');
      await copyImageContent(requests, mounts, { rootfs, volumes, mountDir });
    } finally {
      await volumes.release(names, id);
    }
  }

  #inherited({ VolumesFrom }: HostConfig): MountRequest[] {
    return (VolumesFrom ?? []).flatMap((text) => {
      const [name = '', mode = ''] = text.split(':');
      const { mounts } = this.#parts.table.get(name).record;
      return inheritedMounts(mounts, { readOnly: mode.split(',').includes('ro') });
    });
  }

  async #image(reference: string, platform: string | undefined): Promise<StoredImage> {
    if (!reference) throw new SwarmError('SWM_INVALID_ARGUMENT', 'no image specified');
    const { runtime } = this.#parts;
    const image = await runtime.images.resolve(reference);
    if (platform) {
      const wanted = parsePlatform(platform, runtime.platform);
      const { architecture, os } = image.config;
      // A 404 makes the CLI pull the image for the platform that was asked for.
      if (architecture !== wanted.architecture || os !== wanted.os) throw noSuchImage(reference);
    }
    return image;
  }

  #warnings(image: StoredImage, platform: string | undefined): string[] {
    const host = this.#parts.runtime.platform;
    const { architecture, os } = image.config;
    if (platform || (architecture === host.architecture && os === host.os)) return [];
    return [
      `The requested image's platform (${platformText({ os, architecture })}) does not match the ` +
        `detected host platform (${platformText(host)}) and no specific platform was requested`,
    ];
  }
}
