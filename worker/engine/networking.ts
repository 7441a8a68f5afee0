import { SwarmError } from '../../common/errors.ts';
import type { EndpointInfo, NetDriverApi } from '../../netdriver/index.ts';
import type { ContainerEntry } from './container.ts';
import type { EventBus } from './events.ts';
import type { Sandboxes } from './sandboxes.ts';
import type { ContainerTable } from './table.ts';
import type { EndpointSettings } from './types.ts';

export interface NetworkingComponents {
  readonly netdriver: NetDriverApi;
  readonly table: ContainerTable;
  readonly sandboxes: Sandboxes;
  readonly events: EventBus;
}

/** Connects containers to networks and back, also while they run. */
export class Networking {
  readonly #parts: NetworkingComponents;

  constructor(components: NetworkingComponents) {
    this.#parts = components;
  }

  async connect(entry: ContainerEntry, network: string, settings: EndpointSettings): Promise<void> {
    const { events, sandboxes, table } = this.#parts;
    await entry.lock.run(async () => {
      const local = sandboxes.findLocal(network);
      const known = [network, local?.id, local?.name];
      const listed = Object.keys(entry.record.networks).some((name) => known.includes(name));
      if (listed || this.#endpoint(entry, network)) {
        throw new SwarmError(
          'SWM_PERMISSION_DENIED',
          `endpoint with name ${entry.record.name} already exists in network ${local?.name ?? network}`,
          { hint: `container ${entry.id} is already attached to network ${network}` },
        );
      }
      if (entry.record.hostConfig.NetworkMode === 'host') {
        throw new SwarmError(
          'SWM_FAILED_PRECONDITION',
          'container sharing network namespace with another container or host cannot be connected to any other network',
        );
      }
      const name = local?.name ?? network;
      if (!entry.active) {
        if (!local && !sandboxes.attacher) throw notFound(network);
        await table.update(entry, { networks: { ...entry.record.networks, [name]: settings } });
        return;
      }
      const attachment = await sandboxes.connect(entry.record, name, settings);
      const { attachments, networks } = entry.record;
      await table.update(entry, {
        networks: { ...networks, [name]: settings },
        attachments: attachment ? [...attachments, attachment] : attachments,
        ...this.#sandbox(entry),
      });
      const endpoint = this.#endpoint(entry, name);
      const id = endpoint?.networkId ?? name;
      events.emit('network', 'connect', id, {
        container: entry.id,
        name: endpoint?.networkName ?? name,
      });
    });
  }

  async disconnect(entry: ContainerEntry, network: string, force: boolean): Promise<void> {
    const { events, sandboxes, table } = this.#parts;
    await entry.lock.run(async () => {
      const endpoint = this.#endpoint(entry, network);
      const local = sandboxes.findLocal(network);
      const names = [network, local?.id, local?.name, endpoint?.networkId, endpoint?.networkName];
      const listed = Object.keys(entry.record.networks).filter((name) => names.includes(name));
      if (!endpoint && listed.length === 0) {
        if (force) return;
        throw new SwarmError(
          'SWM_FAILED_PRECONDITION',
          `container ${entry.id} is not connected to network ${network}`,
        );
      }
      if (endpoint) await sandboxes.disconnect(entry.record, endpoint.networkId);
      const networks = Object.fromEntries(
        Object.entries(entry.record.networks).filter(([name]) => !listed.includes(name)),
      );
      const attachments = entry.record.attachments.filter(
        ({ networkId }) => networkId !== endpoint?.networkId,
      );
      await table.update(entry, { networks, attachments, ...this.#sandbox(entry) });
      if (!endpoint) return;
      const { networkId, networkName } = endpoint;
      events.emit('network', 'disconnect', networkId, { container: entry.id, name: networkName });
    });
  }

  /** By name, id or id prefix of the network. */
  #endpoint(entry: ContainerEntry, network: string): EndpointInfo | undefined {
    const endpoints = entry.record.sandbox?.info.endpoints ?? [];
    return (
      endpoints.find(({ networkId, networkName }) => [networkId, networkName].includes(network)) ??
      endpoints.find(({ networkId }) => networkId.startsWith(network))
    );
  }

  #sandbox(entry: ContainerEntry) {
    const sandbox = this.#parts.netdriver.sandbox(entry.id);
    return sandbox ? { sandbox } : {};
  }
}

function notFound(network: string): SwarmError {
  return new SwarmError('SWM_NOT_FOUND', `network ${network} not found`);
}
