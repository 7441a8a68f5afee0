import { mkdir, writeFile } from 'node:fs/promises';
import { hostname as systemHostname } from 'node:os';
import { join } from 'node:path';
import { SwarmError } from '../../common/errors.ts';
import { newHexId } from '../../common/ids.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type {
  EndpointConfig,
  NetDriverApi,
  NetworkConfig,
  SandboxConfig,
  SandboxInfo,
} from '../../netdriver/index.ts';
import { portBindings, sandboxMode } from './network-plan.ts';
import type { ContainerRecord, SwarmAttachment } from './record.ts';
import type { EndpointSettings, SwarmAttacher } from './types.ts';
import { UndoStack } from './undo.ts';

const SHORT_ID = 12;
/** Docker's: any user may bind low ports and ping in a network of one's own. */
const DEFAULT_SYSCTLS = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

export interface SandboxesComponents {
  readonly netdriver: NetDriverApi;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a sandbox brought with it. */
export interface OpenSandbox {
  readonly info: SandboxInfo;
  /** To give back to the swarm with `close`. */
  readonly attachments: readonly SwarmAttachment[];
}

/** Wires containers to their networks, and keeps the files under /etc that follow from it. */
export class Sandboxes {
  readonly #netdriver: NetDriverApi;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #dir: string;
  attacher: SwarmAttacher | undefined;

  constructor(components: SandboxesComponents, init: { dir: string }) {
    this.#netdriver = components.netdriver;
    this.#random = components.random;
    this.#logger = components.logger;
    this.#dir = init.dir;
  }

  hostnameOf(record: ContainerRecord): string {
    const { config, hostConfig, id } = record;
    if (config.Hostname) return config.Hostname;
    return sandboxMode(hostConfig) === 'host' ? systemHostname() : id.slice(0, SHORT_ID);
  }

  /** Makes the namespace with all its endpoints; nothing is left behind when it fails. */
  async open(record: ContainerRecord): Promise<OpenSandbox> {
    const undo = new UndoStack({ logger: this.#logger });
    const attachments: SwarmAttachment[] = [];
    try {
      undo.push(() => this.#netdriver.removeSandbox(record.id));
      const created = await this.#netdriver.createSandbox(this.#config(record));
      for (const endpoint of record.taskEndpoints) {
        await this.#netdriver.connect(record.id, endpoint);
      }
      for (const [network, settings] of Object.entries(record.networks)) {
        const joined = await this.#join(record, network, settings, undo);
        if (joined) attachments.push(joined);
      }
      const info = this.#netdriver.sandbox(record.id)?.info ?? created;
      await this.writeFiles(record, info);
      return { info, attachments };
    } catch (error) {
      await undo.unwind();
      throw error;
    }
  }

  /** Idempotent. */
  async close(record: ContainerRecord): Promise<void> {
    await this.#netdriver.removeSandbox(record.id);
    for (const { id } of record.attachments) await this.#detach(id);
  }

  /** Attaches a running container. Resolves with an attachment for swarm networks. */
  async connect(
    record: ContainerRecord,
    network: string,
    settings: EndpointSettings,
  ): Promise<SwarmAttachment | undefined> {
    const undo = new UndoStack({ logger: this.#logger });
    try {
      const attachment = await this.#join(record, network, settings, undo);
      await this.refreshFiles(record);
      return attachment;
    } catch (error) {
      await undo.unwind();
      throw error;
    }
  }

  /** On swarm networks the address is given back. */
  async disconnect(record: ContainerRecord, networkId: string): Promise<void> {
    await this.#netdriver.disconnect(record.id, networkId);
    for (const attachment of record.attachments) {
      if (attachment.networkId === networkId) await this.#detach(attachment.id);
    }
    await this.refreshFiles(record);
  }

  async refreshFiles(record: ContainerRecord): Promise<void> {
    const info = this.#netdriver.sandbox(record.id)?.info;
    if (info) await this.writeFiles(record, info);
  }

  /** Written in place: the container sees these very files. */
  async writeFiles(record: ContainerRecord, info: SandboxInfo): Promise<void> {
    const dir = join(this.#dir, record.id);
    await mkdir(dir, { recursive: true, mode: 0o710 });
    await Promise.all([
      writeFile(join(dir, 'hostname'), `${this.hostnameOf(record)}\n`),
      writeFile(join(dir, 'hosts'), info.hosts),
      writeFile(join(dir, 'resolv.conf'), info.resolvConf),
    ]);
  }

  /** A network of this node by id, name or id prefix. */
  findLocal(network: string): NetworkConfig | undefined {
    const local = this.#netdriver.localNetworks();
    const exact =
      local.find(({ id }) => id === network) ?? local.find(({ name }) => name === network);
    if (exact) return exact;
    const matches = /^[0-9a-f]+$/.test(network)
      ? local.filter(({ id }) => id.startsWith(network))
      : [];
    return matches.length === 1 ? matches[0] : undefined;
  }

  async #join(
    record: ContainerRecord,
    network: string,
    settings: EndpointSettings,
    undo: UndoStack,
  ): Promise<SwarmAttachment | undefined> {
    const local = this.findLocal(network);
    const aliases = aliasesOf(record, settings, local);
    if (local) {
      await this.#netdriver.connect(record.id, this.#endpoint(local, settings, aliases));
      return undefined;
    }
    if (!this.attacher) throw new SwarmError('SWM_NOT_FOUND', `network ${network} not found`);
    const { attachmentId, endpoint } = await this.attacher.attach({
      containerId: record.id,
      network,
      aliases,
      addresses: wantedAddresses(settings),
    });
    undo.push(() => this.#detach(attachmentId));
    await this.#netdriver.connect(record.id, {
      ...endpoint,
      endpointId: newHexId(this.#random),
    });
    return { id: attachmentId, networkId: endpoint.network.id };
  }

  #endpoint(
    network: NetworkConfig,
    settings: EndpointSettings,
    aliases: readonly string[],
  ): EndpointConfig {
    return {
      endpointId: newHexId(this.#random),
      network,
      addresses: wantedAddresses(settings),
      aliases,
      ...(settings.MacAddress ? { macAddress: settings.MacAddress } : {}),
    };
  }

  #config(record: ContainerRecord): SandboxConfig {
    const { config, hostConfig: host } = record;
    const mode = sandboxMode(host);
    const own = Object.entries(host.Sysctls ?? {}).filter(([key]) => key.startsWith('net.'));
    return {
      containerId: record.id,
      containerName: record.name,
      hostname: this.hostnameOf(record),
      mode,
      ports: mode === 'container' ? portBindings(config, host) : [],
      dns: {
        nameservers: host.Dns ?? [],
        search: host.DnsSearch ?? [],
        options: host.DnsOptions ?? [],
      },
      extraHosts: host.ExtraHosts ?? [],
      sysctls: mode === 'host' ? {} : { ...DEFAULT_SYSCTLS, ...Object.fromEntries(own) },
    };
  }

  async #detach(attachmentId: string): Promise<void> {
    try {
      await this.attacher?.detach(attachmentId);
    } catch (error) {
      // The managers find out by themselves that the attachment's container is gone.
      this.#logger.warn({ err: error, attachmentId }, 'giving back a network attachment failed');
    }
  }
}

/** On networks that users make, a container is also known by its short id. */
function aliasesOf(
  record: ContainerRecord,
  settings: EndpointSettings,
  local: NetworkConfig | undefined,
): string[] {
  const own = settings.Aliases ?? [];
  return local?.name === 'bridge' ? own : [...new Set([...own, record.id.slice(0, SHORT_ID)])];
}

function wantedAddresses({ IPAMConfig }: EndpointSettings): string[] {
  return [IPAMConfig?.IPv4Address, IPAMConfig?.IPv6Address].flatMap((address) =>
    address ? [address] : [],
  );
}
