import type { GossipPeer } from '../proto/gen/swarm/dispatcher.ts';
import type { GossipPort } from '../proto/gen/swarm/gossip.ts';
import type { NetworkAttachment } from '../proto/gen/swarm/objects.ts';

export type NetworkDriverName = 'overlay' | 'bridge' | 'host' | 'null';

export interface SubnetConfig {
  /** CIDR. */
  readonly subnet: string;
  readonly gateway: string;
  /** VXLAN network identifier; overlay only. */
  readonly vni?: number;
  /** CIDR inside `subnet` to hand out from; bridge only. */
  readonly range?: string;
}

/** A network as a node needs to know it in order to wire an endpoint. */
export interface NetworkConfig {
  readonly id: string;
  readonly name: string;
  readonly driver: NetworkDriverName;
  readonly subnets: readonly SubnetConfig[];
  readonly internal: boolean;
  readonly ingress: boolean;
  readonly attachable: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** A network of this node alone (drivers bridge, host, null), as users create them. */
export interface LocalNetwork extends NetworkConfig {
  readonly createdAt: number; // milliseconds since the epoch
  readonly ipamDriver: string;
  readonly predefined: boolean;
}

export interface PortBinding {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
  /** 0: any free port; the answer says which. */
  readonly hostPort: number;
  /** '' is every address. */
  readonly hostIp: string;
}

/** The service that an endpoint belongs to; absent for standalone containers. */
export interface EndpointService {
  readonly id: string;
  readonly name: string;
  /** Without prefix; '' in dnsrr mode. */
  readonly virtualIp: string;
  readonly aliases: readonly string[];
  /** On the ingress network only. */
  readonly ingressPorts: readonly GossipPort[];
}

export interface EndpointConfig {
  /** 64 hexadecimal digits, chosen by the caller. */
  readonly endpointId: string;
  readonly network: NetworkConfig;
  /** CIDR. Overlay: as allocated by the manager. Bridge: as asked for, or empty for a free one. */
  readonly addresses: readonly string[];
  readonly macAddress?: string;
  /** Names of this container alone on this network. */
  readonly aliases: readonly string[];
  readonly service?: EndpointService;
  readonly taskId?: string;
}

export interface SandboxConfig {
  /** The container's id, 64 hexadecimal digits. */
  readonly containerId: string;
  readonly containerName: string;
  readonly hostname: string;
  readonly mode: 'container' | 'host' | 'none';
  /** Published on this host: through the bridge network, or through swarm_gwbridge on overlays. */
  readonly ports: readonly PortBinding[];
  readonly dns: {
    readonly nameservers: readonly string[];
    readonly search: readonly string[];
    readonly options: readonly string[];
  };
  /** "name:IP" lines of --add-host. */
  readonly extraHosts: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
}

export interface EndpointInfo {
  readonly endpointId: string;
  readonly networkId: string;
  readonly networkName: string;
  /** eth0, eth1, … inside the sandbox. */
  readonly ifname: string;
  readonly macAddress: string;
  /** CIDR. */
  readonly addresses: readonly string[];
  readonly gateway: string;
  readonly aliases: readonly string[];
  readonly dnsNames: readonly string[];
}

/** What the OCI spec and the container's files need; `''` for the host's own namespace. */
export interface SandboxInfo {
  readonly netnsPath: string;
  /** The bindings as they came to be, host ports filled in. */
  readonly ports: readonly PortBinding[];
  readonly resolvConf: string;
  readonly hosts: string;
  readonly endpoints: readonly EndpointInfo[];
}

/** All that is needed to take over a running container's sandbox after a restart of the daemon. */
export interface SandboxState {
  readonly config: SandboxConfig;
  readonly endpoints: readonly EndpointConfig[];
  readonly info: SandboxInfo;
  /** The container was part of its services' load balancing. */
  readonly serviceEnabled: boolean;
}

/** `network inspect` of a network that is present on this node. */
export interface NetworkView {
  readonly config: NetworkConfig;
  readonly containers: Readonly<
    Record<string, { name: string; endpointId: string; macAddress: string; ipv4Address: string }>
  >;
  /** Nodes that have this network now, this one included. */
  readonly peers: readonly { name: string; ip: string }[];
  readonly services: readonly ServiceView[];
}

export interface ServiceView {
  readonly name: string;
  readonly virtualIp: string;
  readonly ports: readonly string[];
  readonly localLBIndex: number;
  readonly tasks: readonly {
    name: string;
    endpointId: string;
    endpointIp: string;
    hostIp: string;
  }[];
}

/** This node among its peers; set when it joins a swarm, undefined when it leaves. */
export interface SwarmIdentity {
  readonly nodeId: string;
  /** Ed25519 private key, raw seed of 32 bytes: the libp2p identity. */
  readonly gossipKey: Uint8Array;
  readonly gossipListen: string; // IP:port
  readonly advertiseAddr: string; // IP
  readonly dataPathAddr: string; // IP
  readonly dataPathPort: number; // UDP
}

/**
 * Everything that touches Linux networking on one node. Calls for one container are made one after
 * the other; calls for different containers may overlap. All throw SwarmError and undo what they did
 * before they throw.
 */
export interface NetDriverApi {
  /** Takes over the sandboxes of containers that still run and removes whatever else is left. */
  start(running: readonly SandboxState[]): Promise<void>;
  /** Leaves every sandbox, rule and device as it is: containers go on while the daemon is away. */
  stop(): Promise<void>;

  joinSwarm(identity: SwarmIdentity): Promise<void>;
  /** Removes ingress, overlays and gossip. Attached containers are disconnected. */
  leaveSwarm(): Promise<void>;
  /** The members of the swarm with their gossip peers, whenever the list changed. */
  setPeers(peers: readonly GossipPeer[]): void;
  /**
   * This node's own attachments: the load balancer's address on each overlay that the manager
   * allocated for it. The ingress network is present on the node while it is in the list.
   */
  setNodeAttachments(attachments: readonly NetworkAttachment[]): Promise<void>;

  createSandbox(config: SandboxConfig): Promise<SandboxInfo>;
  /** Attaches at once, also to a running container. A network appears on the node with its first endpoint. */
  connect(containerId: string, endpoint: EndpointConfig): Promise<EndpointInfo>;
  /** A network vanishes from the node with its last endpoint. */
  disconnect(containerId: string, networkId: string): Promise<void>;
  /** Undefined once removed; current otherwise, for the container's record. */
  sandbox(containerId: string): SandboxState | undefined;
  /** Idempotent. */
  removeSandbox(containerId: string): Promise<void>;
  /** Starts sending the services' traffic to this container: it runs and is healthy. */
  enableService(containerId: string): Promise<void>;
  /**
   * Stops new connections to it; resolves when the nodes of its networks have had time to follow,
   * so that the stop signal may be sent.
   */
  disableService(containerId: string): Promise<void>;

  createLocalNetwork(spec: {
    name: string;
    driver: NetworkDriverName;
    subnets: readonly Partial<SubnetConfig>[];
    internal: boolean;
    attachable: boolean;
    options: Readonly<Record<string, string>>;
    labels: Readonly<Record<string, string>>;
  }): Promise<LocalNetwork>;
  /** Throws SWM_PERMISSION_DENIED for a predefined one and while endpoints are active. */
  removeLocalNetwork(id: string): Promise<void>;
  localNetworks(): readonly LocalNetwork[];
  /** The overlays that are present on this node now. */
  overlays(): readonly NetworkConfig[];
  inspect(networkId: string): NetworkView | undefined;
  /** Nodes as gossip sees them. */
  members(): readonly { nodeId: string; alive: boolean }[];
  /** Calls `listener` when gossip's opinion of a node's life changed. */
  onMembers(listener: (nodeId: string, alive: boolean) => void): () => void;
}
