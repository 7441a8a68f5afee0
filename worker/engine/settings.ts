import { SwarmError } from '../../common/errors.ts';
import { resources } from '../runtime/oci/resources.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ContainerEntry } from './container.ts';
import type { EventBus } from './events.ts';
import { checkName } from './names.ts';
import type { ContainerTable } from './table.ts';
import type { HostConfig } from './types.ts';
import { validate } from './validate.ts';

/** The keys of HostConfig that may change after creation. */
const UPDATABLE = new Set([
  'CpuPeriod',
  'CpuQuota',
  'CpuShares',
  'CpusetCpus',
  'CpusetMems',
  'Memory',
  'MemoryReservation',
  'MemorySwap',
  'NanoCpus',
  'PidsLimit',
  'RestartPolicy',
]);

export interface SettingsComponents {
  readonly runtime: Runtime;
  readonly table: ContainerTable;
  readonly events: EventBus;
}

/** What of a container may be changed after its creation: name, limits, restart policy. */
export class Settings {
  readonly #parts: SettingsComponents;
  readonly #cpus: number;

  constructor(components: SettingsComponents, init: { cpus: number }) {
    this.#parts = components;
    this.#cpus = init.cpus;
  }

  async rename(entry: ContainerEntry, name: string): Promise<void> {
    const { events, table } = this.#parts;
    const wanted = name.replace(/^\//, '');
    checkName(wanted);
    await entry.lock.run(async () => {
      const oldName = entry.record.name;
      if (wanted === oldName) {
        const message = 'Renaming a container with the same name as its current name';
        throw new SwarmError('SWM_INVALID_ARGUMENT', message);
      }
      table.reserve(wanted, entry.id);
      table.release(oldName);
      await table.update(entry, { name: wanted });
      events.container('rename', entry.record, { oldName: `/${oldName}` });
    });
  }

  /** Limits take effect at once, a restart policy with the next exit. */
  async update(entry: ContainerEntry, change: Partial<HostConfig>): Promise<void> {
    const { events, runtime, table } = this.#parts;
    await entry.lock.run(async () => {
      const given = Object.fromEntries(
        Object.entries(change).filter(([key, value]) => UPDATABLE.has(key) && isGiven(value)),
      );
      const hostConfig: HostConfig = { ...entry.record.hostConfig, ...given };
      validate(entry.record.config, hostConfig, { cpus: this.#cpus });
      if (entry.active) {
        const { devices: _, ...limits } = resources(hostConfig, [], runtime.features);
        await runtime.tasks.update(entry.id, limits);
      }
      await table.update(entry, { hostConfig });
      events.container('update', entry.record);
    });
  }
}

/** The CLI sends zeros and empty words for what was not given. */
function isGiven(value: unknown): boolean {
  const { Name } = (value ?? {}) as { Name?: unknown };
  return Boolean(value) && Name !== '';
}
