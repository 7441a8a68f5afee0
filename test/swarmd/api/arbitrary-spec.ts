import fc from 'fast-check';

/** JSON that a client may send, with every field now there and now not. */
export function partly(fields: Record<string, fc.Arbitrary<unknown>>) {
  return fc.record(fields, { requiredKeys: [] });
}

const text = fc.constantFrom('a', 'b-c', 'x=1', 'ü', '1.2.3.4 h');
const texts = fc.array(text, { maxLength: 3 });
const map = fc.dictionary(fc.constantFrom('k', 'com.x', 'z'), text, { maxKeys: 2 });
const ns = fc.integer({ min: 0, max: 90_000 }).map((ms) => ms * 1_000_000 + 1);
const count = fc.nat({ max: 1_000_000 });
const flag = fc.boolean();

const driver = partly({ Name: text, Options: map });
const file = fc.record({ Name: text, UID: text, GID: text, Mode: fc.nat({ max: 511 }) });

const generic = fc.oneof(
  fc.record({ NamedResourceSpec: fc.record({ Kind: text, Value: text }) }),
  fc.record({ DiscreteResourceSpec: fc.record({ Kind: text, Value: count }) }),
);

const mount = partly({
  Type: fc.constantFrom('bind', 'volume', 'tmpfs', 'npipe', 'cluster'),
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: fc.constantFrom('default', 'consistent', 'cached', 'delegated'),
  BindOptions: partly({
    Propagation: fc.constantFrom('rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave'),
    NonRecursive: flag,
    CreateMountpoint: flag,
    ReadOnlyNonRecursive: flag,
    ReadOnlyForceRecursive: flag,
  }),
  VolumeOptions: partly({ NoCopy: flag, Labels: map, DriverConfig: driver, Subpath: text }),
  TmpfsOptions: partly({
    SizeBytes: count,
    Mode: fc.nat({ max: 511 }),
    Options: fc.constantFrom([], [['noexec'], ['uid', '10']]),
  }),
});

const privileges = partly({
  CredentialSpec: fc.constantFrom(null, { File: 'f' }, { Registry: 'r' }, { Config: 'c' }),
  SELinuxContext: partly({ Disable: flag, User: text, Role: text, Type: text, Level: text }),
  Seccomp: partly({
    Mode: fc.constantFrom('default', 'unconfined', 'custom'),
    Profile: fc.constantFrom('', 'e30='),
  }),
  AppArmor: partly({ Mode: fc.constantFrom('default', 'disabled') }),
  NoNewPrivileges: flag,
});

const container = partly({
  Image: text,
  Labels: map,
  Command: texts,
  Args: texts,
  Hostname: text,
  Env: texts,
  Dir: text,
  User: text,
  Groups: texts,
  Privileges: privileges,
  Init: fc.constantFrom(true, false, null),
  StopSignal: text,
  TTY: flag,
  OpenStdin: flag,
  ReadOnly: flag,
  Mounts: fc.array(mount, { maxLength: 2 }),
  StopGracePeriod: ns,
  Healthcheck: partly({
    Test: texts,
    Interval: ns,
    Timeout: ns,
    StartPeriod: ns,
    StartInterval: ns,
    Retries: count,
  }),
  Hosts: texts,
  DNSConfig: partly({ Nameservers: texts, Search: texts, Options: texts }),
  Secrets: fc.array(partly({ File: file, SecretID: text, SecretName: text }), { maxLength: 2 }),
  Configs: fc.array(
    fc.oneof(
      partly({ File: file, ConfigID: text, ConfigName: text }),
      fc.record({ Runtime: fc.constant({}), ConfigID: text, ConfigName: text }),
    ),
    { maxLength: 2 },
  ),
  Isolation: fc.constantFrom('', 'default', 'process', 'hyperv'),
  Sysctls: map,
  CapabilityAdd: texts,
  CapabilityDrop: texts,
  Ulimits: fc.array(fc.record({ Name: text, Hard: count, Soft: count }), { maxLength: 2 }),
  OomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
});

const amounts = { NanoCPUs: count, MemoryBytes: count };

const attachment = partly({ Target: text, Aliases: texts, DriverOpts: map });

const taskFields = {
  ContainerSpec: container,
  Resources: partly({
    Limits: partly({ ...amounts, Pids: count }),
    Reservations: partly({ ...amounts, GenericResources: fc.array(generic, { maxLength: 2 }) }),
    SwapBytes: fc.integer({ min: -1, max: 9 }),
    MemorySwappiness: fc.integer({ min: -1, max: 100 }),
  }),
  RestartPolicy: partly({
    Condition: fc.constantFrom('none', 'on-failure', 'any', ''),
    Delay: ns,
    MaxAttempts: count,
    Window: ns,
  }),
  Placement: partly({
    Constraints: texts,
    Preferences: fc.array(fc.record({ Spread: fc.record({ SpreadDescriptor: text }) }), {
      maxLength: 2,
    }),
    MaxReplicas: count,
    Platforms: fc.array(partly({ Architecture: text, OS: text }), { maxLength: 2 }),
  }),
  Networks: fc.array(attachment, { maxLength: 2 }),
  LogDriver: driver,
  ForceUpdate: count,
  Runtime: fc.constantFrom('', 'container'),
};

const task = fc.record(taskFields, { requiredKeys: ['ContainerSpec'] });

const updateConfig = partly({
  Parallelism: count,
  Delay: ns,
  FailureAction: fc.constantFrom('pause', 'continue', 'rollback', ''),
  Monitor: ns,
  MaxFailureRatio: fc.constantFrom(0, 0.1, 0.25, 0.3, 1),
  Order: fc.constantFrom('stop-first', 'start-first', ''),
});

/** The body of POST /services/create. */
export const serviceSpecJson = partly({
  Name: text,
  Labels: map,
  TaskTemplate: task,
  Mode: fc.oneof(
    fc.constant({}),
    partly({ Replicated: partly({ Replicas: count }) }),
    fc.constant({ Global: {} }),
    fc.record({ ReplicatedJob: partly({ MaxConcurrent: count, TotalCompletions: count }) }),
    fc.constant({ GlobalJob: {} }),
  ),
  UpdateConfig: updateConfig,
  RollbackConfig: updateConfig,
  Networks: fc.array(attachment, { maxLength: 1 }),
  EndpointSpec: partly({
    Mode: fc.constantFrom('vip', 'dnsrr', ''),
    Ports: fc.array(
      partly({
        Name: text,
        Protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
        TargetPort: fc.nat({ max: 65_535 }),
        PublishedPort: fc.nat({ max: 65_535 }),
        PublishMode: fc.constantFrom('ingress', 'host'),
      }),
      { maxLength: 3 },
    ),
  }),
});

/** The body of POST /swarm/update. */
export const clusterSpecJson = partly({
  Name: fc.constant('default'),
  Labels: map,
  Orchestration: partly({ TaskHistoryRetentionLimit: fc.integer({ min: -1, max: 50 }) }),
  Raft: partly({
    SnapshotInterval: count,
    KeepOldSnapshots: count,
    LogEntriesForSlowFollowers: count,
    ElectionTick: fc.nat({ max: 30 }),
    HeartbeatTick: fc.nat({ max: 3 }),
  }),
  Dispatcher: partly({ HeartbeatPeriod: ns }),
  CAConfig: partly({
    NodeCertExpiry: ns,
    ExternalCAs: fc.array(
      fc.record({ Protocol: fc.constant('cfssl'), URL: text, Options: map, CACert: text }),
      { maxLength: 1 },
    ),
    ForceRotate: count,
  }),
  TaskDefaults: partly({ LogDriver: driver }),
  EncryptionConfig: partly({ AutoLockManagers: flag }),
});
