import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import { newHexId } from '../../common/ids.ts';
import type { Random } from '../../common/random.ts';
import type { EngineDatabase } from './database.ts';
import { diskUsage } from './disk-usage.ts';
import type { EventBus } from './events.ts';
import { Mutex } from './mutex.ts';
import type { VolumeInfo, VolumesApi } from './types.ts';
import { isMounted, mountVolume, unmountVolume, volumeMount } from './volume-mount.ts';

const VALID_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** Set on volumes that were made without a name; prune removes only these unless told otherwise. */
const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

export interface VolumesComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly database: EngineDatabase;
  readonly events: EventBus;
  /** Ids of the containers that mount a volume. */
  readonly users: (name: string) => readonly string[];
}

/** The local driver: a directory for each volume, or what its options say is mounted there. */
export class Volumes implements VolumesApi {
  readonly #components: VolumesComponents;
  readonly #dir: string;
  readonly #volumes = new Map<string, VolumeInfo>();
  readonly #mountedBy = new Map<string, Set<string>>();
  readonly #mounting = new Mutex();

  constructor(components: VolumesComponents, init: { dir: string }) {
    this.#components = components;
    this.#dir = init.dir;
  }

  async load(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o701 });
    for (const volume of await this.#components.database.volumes()) {
      this.#volumes.set(volume.name, volume);
    }
  }

  async create(spec: Parameters<VolumesApi['create']>[0]): Promise<VolumeInfo> {
    const { clock, database, events, random } = this.#components;
    const name = spec.name || newHexId(random);
    const driver = spec.driver || 'local';
    checkSpec(name, driver, spec.options ?? {});
    const existing = this.#volumes.get(name);
    if (existing) return existing;
    const mountpoint = join(this.#dir, name, '_data');
    const volume: VolumeInfo = {
      name,
      driver,
      mountpoint,
      createdAt: clock.now(),
      labels: { ...(spec.name ? {} : { [ANONYMOUS_LABEL]: '' }), ...spec.labels },
      options: spec.options ?? {},
    };
    // Taken before the first wait, so that two creations of one name share the volume.
    this.#volumes.set(name, volume);
    try {
      await mkdir(mountpoint, { recursive: true, mode: 0o755 });
      await database.putVolume(volume);
    } catch (error) {
      this.#volumes.delete(name);
      throw error;
    }
    events.emit('volume', 'create', name, { driver });
    return volume;
  }

  list(): readonly VolumeInfo[] {
    return [...this.#volumes.values()];
  }

  inspect(name: string): VolumeInfo {
    const volume = this.#volumes.get(name);
    if (!volume) throw new SwarmError('SWM_NOT_FOUND', `get ${name}: no such volume`);
    return volume;
  }

  async remove(name: string, force: boolean): Promise<void> {
    if (force && !this.#volumes.has(name)) return;
    const { driver, mountpoint } = this.inspect(name);
    const users = this.#components.users(name);
    if (users.length > 0) {
      const message = `remove ${name}: volume is in use - [${users.join(', ')}]`;
      throw new SwarmError('SWM_CONFLICT', message);
    }
    this.#volumes.delete(name);
    await this.#components.database.deleteVolume(name);
    // Else what is removed would be what is mounted there.
    unmountVolume(mountpoint);
    await rm(join(this.#dir, name), { recursive: true, force: true });
    this.#components.events.emit('volume', 'destroy', name, { driver });
  }

  async prune(all: boolean): Promise<{ deleted: string[]; reclaimed: number }> {
    const deleted: string[] = [];
    let reclaimed = 0;
    for (const { name, labels, mountpoint } of this.list()) {
      if (!all && !(ANONYMOUS_LABEL in labels)) continue;
      if (this.#components.users(name).length > 0) continue;
      reclaimed += await diskUsage(mountpoint);
      await this.remove(name, true);
      deleted.push(name);
    }
    return { deleted, reclaimed };
  }

  /**
   * A container is about to use the volumes: those that are mounts get mounted with their first
   * user. Takes back what it did when one fails.
   */
  async acquire(names: readonly string[], user: string): Promise<void> {
    const taken: string[] = [];
    try {
      for (const name of names) {
        await this.#mounting.run(() => this.#mount(this.inspect(name), user));
        taken.push(name);
      }
    } catch (error) {
      await this.release(taken, user);
      throw error;
    }
  }

  /** Its last user unmounts a volume. Idempotent. */
  async release(names: readonly string[], user: string): Promise<void> {
    for (const name of names) {
      await this.#mounting.run(async () => {
        const users = this.#mountedBy.get(name);
        if (!users?.delete(user) || users.size > 0) return;
        this.#mountedBy.delete(name);
        unmountVolume(this.inspect(name).mountpoint);
      });
    }
  }

  async #mount({ name, mountpoint, options }: VolumeInfo, user: string): Promise<void> {
    const wanted = volumeMount(name, options);
    if (!wanted) return;
    // An earlier daemon may have mounted it for a container that still runs.
    if (!isMounted(mountpoint)) {
      try {
        await mountVolume(wanted, mountpoint);
      } catch (error) {
        const message = `error while mounting volume '${mountpoint}': ${errorMessage(error)}`;
        throw new SwarmError('SWM_INTERNAL', `failed to mount local volume: ${message}`);
      }
    }
    const users = this.#mountedBy.get(name) ?? new Set();
    this.#mountedBy.set(name, users.add(user));
  }

  /** True while nothing was ever put into it. */
  async isEmpty(name: string): Promise<boolean> {
    return (await readdir(this.inspect(name).mountpoint)).length === 0;
  }
}

function checkSpec(name: string, driver: string, options: Record<string, string>): void {
  if (!VALID_NAME.test(name)) {
    const message =
      `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use ' +
      'absolute path';
    throw new SwarmError('SWM_INVALID_ARGUMENT', message);
  }
  if (driver !== 'local') {
    const message = `error looking up volume plugin ${driver}: plugin "${driver}" not found`;
    throw new SwarmError('SWM_NOT_FOUND', message);
  }
  volumeMount(name, options);
}
