import type { Clock } from '../common/clock.ts';
import type { Logger } from '../common/logger.ts';
import type { Random } from '../common/random.ts';
import { IpvsBalancer } from './balancer/ipvs.ts';
import { NftablesBalancer } from './balancer/nftables.ts';
import { Bridges } from './bridge/bridges.ts';
import { Gateway } from './bridge/gateway.ts';
import { HostFirewall } from './bridge/host-firewall.ts';
import { LocalNetworks, type LocalNetworksFile } from './bridge/local-networks.ts';
import { PortPublisher } from './bridge/port-publisher.ts';
import type { GossipApi } from './gossip/types.ts';
import { IngressGate } from './ingress/ingress-gate.ts';
import type { Kernel } from './kernel/types.ts';
import { type OverlayAttachment, Overlays } from './overlay/overlays.ts';
import { Records } from './records.ts';
import { Forwarder } from './resolver/forwarder.ts';
import { HostResolvConf } from './resolver/host-resolv-conf.ts';
import { NameDirectory } from './sandbox/name-directory.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { Wiring } from './sandbox/wiring.ts';
import { StateFile } from './state-file.ts';

export interface NetDriverComponents {
  readonly kernel: Kernel;
  readonly gossip: GossipApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface NetDriverInit {
  /** Folder for what must outlive the daemon. */
  readonly stateDir: string;
  /** An earlier daemon started with it: what it saved must be there. */
  readonly saved?: boolean;
  /** `ipvs` needs the kernel's ip_vs and ipvsadm. Default nftables. */
  readonly balancer?: 'nftables' | 'ipvs';
  /** Default /etc/resolv.conf. */
  readonly hostResolvConf?: string;
}

export interface AttachmentsFile {
  readonly version: 1;
  readonly attachments: readonly OverlayAttachment[];
}

/** Kept on disk so that a restarted daemon knows its balancers before a manager answers. */
const ATTACHMENTS_FILE = 'node-attachments.json';
const NETWORKS_FILE = 'local-networks.json';

/** What a driver is made of. */
export interface Parts {
  readonly networks: LocalNetworks;
  readonly firewall: HostFirewall;
  readonly bridges: Bridges;
  readonly ports: PortPublisher;
  readonly gate: IngressGate;
  readonly overlays: Overlays;
  readonly records: Records;
  readonly names: NameDirectory;
  readonly wiring: Wiring;
  readonly hostResolvConf: HostResolvConf;
  readonly attachmentsFile: StateFile<AttachmentsFile>;
}

export function compose(
  components: NetDriverComponents,
  init: NetDriverInit,
  sandboxes: ReadonlyMap<string, Sandbox>,
): Parts {
  const { kernel, gossip } = components;
  const file = new StateFile<LocalNetworksFile>(`${init.stateDir}/${NETWORKS_FILE}`);
  const { saved = false } = init;
  const networks = new LocalNetworks({ ...components, file, saved });
  const firewall = new HostFirewall(components);
  const bridges = new Bridges({ kernel, firewall });
  const gateway = new Gateway({ kernel, bridges, networks });
  const records = new Records(gossip);
  const ports = new PortPublisher({ kernel, firewall });
  const gate = new IngressGate({ ...components, firewall, gateway });
  const Engine = init.balancer === 'ipvs' ? IpvsBalancer : NftablesBalancer;
  const overlays = new Overlays({
    ...components,
    records,
    gate,
    engine: (netns, options) => new Engine({ kernel }, { netns, ...options }),
  });
  const names = new NameDirectory({
    records,
    sandboxes: () => sandboxes.values(),
    ingressId: () => overlays.ingress?.network.id,
  });
  const hostResolvConf = new HostResolvConf(
    components,
    init.hostResolvConf ? { path: init.hostResolvConf } : {},
  );
  const forwarder = new Forwarder(components);
  const wired = { ...components, overlays, bridges, gateway, ports, records, names };
  return {
    networks,
    firewall,
    bridges,
    ports,
    gate,
    overlays,
    records,
    names,
    wiring: new Wiring({ ...wired, forwarder, hostResolvConf }),
    hostResolvConf,
    attachmentsFile: new StateFile(`${init.stateDir}/${ATTACHMENTS_FILE}`),
  };
}
