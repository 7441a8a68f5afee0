/** What the commands read of the API's objects. */

export interface Versioned {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly CreatedAt: string;
  readonly UpdatedAt: string;
}

export interface Info {
  readonly ID: string;
  readonly Name: string;
  readonly Swarm: {
    readonly NodeID: string;
    readonly NodeAddr: string;
    readonly LocalNodeState: string;
    readonly ControlAvailable: boolean;
    readonly Error?: string;
    readonly RemoteManagers?: readonly { readonly NodeID: string; readonly Addr: string }[] | null;
    readonly Cluster?: { readonly TLSInfo?: TlsInfo } | null;
  };
  readonly [other: string]: unknown;
}

export interface Swarm extends Versioned {
  readonly Spec: {
    readonly Labels: Record<string, string> | null;
    readonly Orchestration: object;
    readonly Raft: object;
    readonly Dispatcher: object;
    readonly CAConfig: {
      readonly ForceRotate?: number;
      readonly ExternalCAs?: readonly ExternalCa[];
    };
    readonly TaskDefaults: object;
    readonly EncryptionConfig: { readonly AutoLockManagers?: boolean };
  };
  readonly TLSInfo?: TlsInfo;
  readonly RootRotationInProgress?: boolean;
  readonly JoinTokens: { readonly Worker: string; readonly Manager: string };
}

/** What a node trusts, or all are to trust, and who signs; the last two are base64 of DER. */
export interface TlsInfo {
  readonly TrustRoot?: string;
  readonly CertIssuerSubject?: string;
  readonly CertIssuerPublicKey?: string;
}

export interface ExternalCa {
  readonly Protocol: string;
  readonly URL: string;
  readonly Options?: Readonly<Record<string, string>>;
  readonly CACert: string;
}

export interface NodeSpec {
  readonly Name?: string;
  readonly Labels: Record<string, string> | null;
  readonly Role: string;
  readonly Availability: string;
}

export interface NodeObject extends Versioned {
  readonly Spec: NodeSpec;
  /** Almost empty for a node that has never registered. */
  readonly Description: {
    readonly Hostname?: string;
    readonly TLSInfo?: TlsInfo;
    readonly Platform: { readonly Architecture?: string; readonly OS?: string };
    readonly Resources: { readonly NanoCPUs?: number; readonly MemoryBytes?: number };
    readonly Engine: {
      readonly EngineVersion?: string;
      readonly Labels?: Record<string, string>;
      readonly Plugins?: readonly { readonly Type: string; readonly Name: string }[];
    };
  };
  readonly Status: { readonly State: string; readonly Message?: string; readonly Addr: string };
  readonly ManagerStatus?: {
    readonly Leader?: boolean;
    readonly Reachability: string;
    readonly Addr: string;
  };
}

export interface TaskObject extends Versioned {
  readonly Name?: string;
  readonly ServiceID: string;
  readonly NodeID?: string;
  readonly Slot?: number;
  readonly DesiredState: string;
  readonly Spec: {
    readonly ContainerSpec?: { readonly Image: string };
    readonly [other: string]: unknown;
  };
  readonly Status: {
    readonly Timestamp: string;
    readonly State: string;
    readonly Message: string;
    readonly Err?: string;
    readonly PortStatus?: { readonly Ports?: readonly EndpointPort[] };
  };
  readonly JobIteration?: { readonly Index: number };
}

export interface EndpointPort {
  readonly Protocol: string;
  readonly TargetPort: number;
  readonly PublishedPort?: number;
  readonly PublishMode: string;
}

/** The parts of a service spec are open: what a command does not change it sends back as it came. */
export interface ServiceSpec {
  Name: string;
  Labels?: Record<string, string>;
  TaskTemplate: TaskTemplate;
  Mode?: ServiceMode;
  UpdateConfig?: UpdateConfig;
  RollbackConfig?: UpdateConfig;
  EndpointSpec?: { Mode?: string; Ports?: EndpointPort[] };
  [other: string]: unknown;
}

export interface ServiceMode {
  Replicated?: { Replicas?: number };
  Global?: object;
  ReplicatedJob?: { MaxConcurrent?: number; TotalCompletions?: number };
  GlobalJob?: object;
}

export interface UpdateConfig {
  Parallelism?: number;
  Delay?: number;
  FailureAction?: string;
  Monitor?: number;
  MaxFailureRatio?: number;
  Order?: string;
}

export interface TaskTemplate {
  ContainerSpec?: ContainerSpec;
  Resources?: { Limits?: Record<string, number>; Reservations?: Record<string, number> };
  RestartPolicy?: { Condition?: string; Delay?: number; MaxAttempts?: number; Window?: number };
  Placement?: {
    Constraints?: string[];
    Preferences?: { Spread: { SpreadDescriptor: string } }[];
    MaxReplicas?: number;
    [other: string]: unknown;
  };
  Networks?: { Target: string; Aliases?: string[]; DriverOpts?: Record<string, string> }[];
  LogDriver?: { Name: string; Options?: Record<string, string> };
  ForceUpdate?: number;
  [other: string]: unknown;
}

export interface ContainerSpec {
  Image: string;
  Labels?: Record<string, string>;
  Command?: string[];
  Args?: string[];
  Hostname?: string;
  Env?: string[];
  Dir?: string;
  User?: string;
  Groups?: string[];
  Mounts?: Record<string, unknown>[];
  Secrets?: Record<string, unknown>[];
  Configs?: Record<string, unknown>[];
  Hosts?: string[];
  DNSConfig?: { Nameservers?: string[]; Search?: string[]; Options?: string[] };
  Healthcheck?: Record<string, unknown>;
  Sysctls?: Record<string, string>;
  CapabilityAdd?: string[];
  CapabilityDrop?: string[];
  Ulimits?: { Name: string; Soft: number; Hard: number }[];
  [other: string]: unknown;
}

export interface ServiceObject extends Versioned {
  readonly Spec: ServiceSpec;
  readonly Endpoint?: { readonly Ports?: readonly EndpointPort[] };
  readonly UpdateStatus?: { readonly State?: string; readonly Message?: string };
  readonly ServiceStatus?: {
    readonly RunningTasks: number;
    readonly DesiredTasks: number;
    readonly CompletedTasks?: number;
  };
  readonly JobStatus?: { readonly JobIteration: { readonly Index: number } };
}

export interface NetworkObject {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly Created: string;
  readonly EnableIPv4: boolean;
  readonly EnableIPv6: boolean;
  readonly Internal: boolean;
  readonly Ingress: boolean;
  readonly Labels: Record<string, string> | null;
}
