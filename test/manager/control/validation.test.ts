import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validateCluster, validateRotation } from '../../../manager/control/validate-cluster.ts';
import { validateNetwork } from '../../../manager/control/validate-network.ts';
import { validateConfig, validateSecret } from '../../../manager/control/validate-secret.ts';
import { validateService } from '../../../manager/control/validate-service.ts';
import {
  ClusterSpec,
  ConfigSpec,
  type ContainerSpec,
  EndpointSpec_ResolutionMode,
  Mount_MountType,
  SecretSpec,
  type TaskSpec,
} from '../../../proto/gen/swarm/specs.ts';
import { PortConfig_PublishMode } from '../../../proto/gen/swarm/types.ts';
import { networkSpec, serviceSpec } from './fixture.ts';

type Refused = { readonly code: string; readonly message: string };
type Case = readonly [what: string, check: () => void, refused?: string | Refused];

const refusal = (refused: string | Refused) =>
  typeof refused === 'string' ? { code: 'SWM_INVALID_ARGUMENT', message: refused } : refused;

function run(cases: readonly Case[]): void {
  for (const [what, check, refused] of cases) {
    test(refused === undefined ? `allowed: ${what}` : `refused: ${what}`, () => {
      if (refused === undefined) check();
      else assert.throws(check, refusal(refused));
    });
  }
}

const service = (partial: Parameters<typeof serviceSpec>[1], name = 'web') => {
  return () => validateService(serviceSpec(name, partial));
};

const task = (partial: Parameters<typeof TaskSpec.fromPartial>[0]) => {
  const runtime = { $case: 'container' as const, container: { image: 'busybox' } };
  return service({ task: { runtime, ...partial } });
};

const container = (partial: Parameters<typeof ContainerSpec.fromPartial>[0]) => {
  const spec = { image: 'busybox', ...partial };
  return service({ task: { runtime: { $case: 'container', container: spec } } });
};

const ports = (...list: [target: number, published: number, mode?: PortConfig_PublishMode][]) =>
  service({
    endpoint: {
      ports: list.map(([targetPort, publishedPort, publishMode]) => ({
        targetPort,
        publishedPort,
        publishMode,
      })),
    },
  });

const DNS = 'name must be valid as a DNS name component';

run([
  ['a simple service', service({})],
  ['a name of 63 characters', service({}, 'a'.repeat(63))],
  ['no name', service({}, ''), 'meta: name must be provided'],
  ['a name of 64 characters', service({}, 'a'.repeat(64)), 'name must be 63 characters or fewer'],
  ['a name with a dot', service({}, 'my.web'), DNS],
  ['a name that ends with a dash', service({}, 'web-'), DNS],
  ['a name with a space', service({}, 'my web'), DNS],
  [
    'a service without a mode',
    service({ mode: undefined }),
    'the service was given no mode: replicated, global or a job',
  ],
  ['a service without a task', service({ task: {} }), 'TaskSpec: missing runtime'],
  [
    'an attachment as a service',
    service({ task: { runtime: { $case: 'attachment', attachment: {} } } }),
    'TaskSpec: the tasks of a service run containers, not "attachment"',
  ],
  [
    'a job with an update config',
    service({ mode: { $case: 'globalJob', globalJob: {} }, update: {} }),
    'Jobs may not have an update config',
  ],
  [
    'an update delay below zero',
    service({ update: { delay: { seconds: -1 } } }),
    'TaskSpec: update-delay cannot be negative',
  ],
  [
    'a failure ratio above one',
    service({ rollback: { maxFailureRatio: 1.5 } }),
    'TaskSpec: rollback-maxfailureratio cannot be less than 0 or bigger than 1',
  ],
]);

run([
  ['0.001 CPU', task({ resources: { limits: { nanoCpus: 1_000_000 } } })],
  [
    '0.0001 CPU',
    task({ resources: { limits: { nanoCpus: 100_000 } } }),
    'invalid cpu value 0.0001: Must be at least 0.001',
  ],
  ['4 MiB', task({ resources: { reservations: { memoryBytes: 4 << 20 } } })],
  [
    'less memory than 4 MiB',
    task({ resources: { reservations: { memoryBytes: 1000 } } }),
    'invalid memory value 1000: Must be at least 4MiB',
  ],
  [
    'a restart delay below zero',
    task({ restart: { delay: { seconds: -5 } } }),
    'TaskSpec: restart-delay cannot be negative',
  ],
  ['two constraints', task({ placement: { constraints: ['node.role==worker', 'a.b != c d'] } })],
  [
    'a constraint without an operator',
    task({ placement: { constraints: ['node.role=worker'] } }),
    'constraint expected one operator from ==, !=',
  ],
  [
    'a preference for something that is not a label',
    task({
      placement: {
        preferences: [{ preference: { $case: 'spread', spread: { spreadDescriptor: 'x' } } }],
      },
    }),
    'invalid placement preference "x": spread over node.labels.X or engine.labels.X',
  ],
]);

for (const image of [
  'busybox',
  'busybox:1.36',
  'library/busybox',
  'localhost:5000/team/app_x:v1.0-rc.1',
  `registry.example.com/a/b/c@sha256:${'a'.repeat(64)}`,
  '[::1]:5000/app',
]) {
  run([[`image ${image}`, container({ image })]]);
}
for (const image of ['Busybox', 'busy box', 'busybox:', '/busybox', 'busybox@sha256:12', 'a//b']) {
  const message = `ContainerSpec: "${image}" is not a valid repository/tag`;
  run([[`image ${image}`, container({ image }), message]]);
}

const secret = (secretName: string, name: string) => ({
  secretId: `${secretName}-id`,
  secretName,
  file: { name, uid: '0', gid: '0', mode: 0o444 },
});

run([
  ['no image', container({ image: '' }), 'ContainerSpec: image reference must be provided'],
  [
    'two mounts in one place',
    container({
      mounts: [
        { type: Mount_MountType.VOLUME, source: 'a', target: '/x' },
        { type: Mount_MountType.VOLUME, source: 'b', target: '/x' },
      ],
    }),
    'ContainerSpec: duplicate mount point: /x',
  ],
  [
    'a bind mount of a relative path',
    container({ mounts: [{ type: Mount_MountType.BIND, source: 'a', target: '/x' }] }),
    'invalid bind mount source, must be an absolute path: a',
  ],
  [
    'a mount on a relative path',
    container({ mounts: [{ type: Mount_MountType.VOLUME, source: 'a', target: 'x' }] }),
    'invalid mount target, must be an absolute path: x',
  ],
  [
    'a health check every microsecond',
    container({ healthcheck: { interval: { seconds: 0, nanos: 1000 } } }),
    'ContainerSpec: Interval in HealthConfig cannot be less than 1ms',
  ],
  ['two secrets', container({ secrets: [secret('a', 't'), secret('b', 'u')] })],
  [
    'two secrets in one file',
    container({ secrets: [secret('a', 't'), secret('b', 't')] }),
    "secret references 'a' and 'b' have a conflicting target: 't'",
  ],
  [
    'a secret without a file',
    container({ secrets: [{ secretId: 'i', secretName: 'n' }] }),
    'malformed file secret reference, no target file name provided',
  ],
  [
    'a secret that leaves its directory',
    container({ secrets: [secret('a', '../etc/passwd')] }),
    "invalid target of secret 'a': '../etc/passwd' leads out of its directory",
  ],
]);

const { HOST } = PortConfig_PublishMode;

run([
  ['one port', ports([80, 8080])],
  ['a port chosen by the swarm, twice', ports([80, 0], [81, 0])],
  ['one port in both modes', ports([80, 8080], [80, 8080, HOST])],
  [
    'one port twice',
    ports([80, 8080], [81, 8080]),
    'EndpointSpec: duplicate published ports provided',
  ],
  [
    'a target port above 65535',
    ports([70_000, 80]),
    'EndpointSpec: invalid target port 70000: must be between 1 and 65535',
  ],
  [
    'an ingress port with dnsrr',
    service({
      endpoint: { mode: EndpointSpec_ResolutionMode.DNSRR, ports: [{ targetPort: 80 }] },
    }),
    "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
  ],
  [
    'a host port with dnsrr',
    service({
      endpoint: {
        mode: EndpointSpec_ResolutionMode.DNSRR,
        ports: [{ targetPort: 80, publishMode: HOST }],
      },
    }),
  ],
]);

const network = (name: string, partial: Parameters<typeof networkSpec>[1] = {}) => {
  return () => validateNetwork(networkSpec(name, partial));
};

run([
  ['an overlay', network('net', { driverConfig: { name: 'overlay' } })],
  ['an attachable network', network('net', { attachable: true })],
  [
    'an attachable ingress',
    network('net', { ingress: true, attachable: true }),
    'ingress network cannot be attachable',
  ],
  [
    'a network called bridge',
    network('bridge'),
    {
      code: 'SWM_PERMISSION_DENIED',
      message: 'bridge is a pre-defined network and cannot be created',
    },
  ],
  [
    'a driver of no swarm',
    network('net', { driverConfig: { name: 'weave' } }),
    'network driver "weave" is not supported in swarm mode',
  ],
]);

const cluster = (partial: Parameters<typeof ClusterSpec.fromPartial>[0]) => () =>
  validateCluster(ClusterSpec.fromPartial({ annotations: { name: 'default' }, ...partial }));

const rotateUnlockKey = (autoLockManagers: boolean) => () =>
  validateRotation(
    { workerJoinToken: false, managerJoinToken: false, managerUnlockKey: true },
    ClusterSpec.fromPartial({ encryptionConfig: { autoLockManagers } }),
  );

run([
  ['the default spec', cluster({})],
  ['certificates for an hour', cluster({ caConfig: { nodeCertExpiry: { seconds: 3600 } } })],
  [
    'certificates for less than an hour',
    cluster({ caConfig: { nodeCertExpiry: { seconds: 3599 } } }),
    'minimum certificate expiry time is: 1h0m0s',
  ],
  [
    'another name',
    cluster({ annotations: { name: 'other' } }),
    'swarm spec must be named "default"',
  ],
  [
    'a negative heartbeat',
    cluster({ dispatcher: { heartbeatPeriod: { seconds: -1 } } }),
    'heartbeat time period cannot be a negative duration',
  ],
  ['a rotation of the unlock key that managers have', rotateUnlockKey(true)],
  [
    'a rotation of an unlock key that there is not',
    rotateUnlockKey(false),
    {
      code: 'SWM_FAILED_PRECONDITION',
      message: 'cannot rotate because autolock is not turned on',
    },
  ],
]);

const secretSpec = (name: string, size: number) => () =>
  validateSecret(SecretSpec.fromPartial({ annotations: { name }, data: Buffer.alloc(size) }));
const configSpec = (name: string, size: number) => () =>
  validateConfig(ConfigSpec.fromPartial({ annotations: { name }, data: Buffer.alloc(size) }));
const FILE_NAME =
  'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]';

run([
  ['a secret', secretSpec('my.secret_1', 1)],
  ['the largest secret', secretSpec('s', 511_999)],
  [
    'a secret too large',
    secretSpec('s', 512_000),
    'secret data must be larger than 0 and less than 512000 bytes',
  ],
  [
    'an empty secret',
    secretSpec('s', 0),
    'secret data must be larger than 0 and less than 512000 bytes',
  ],
  ['a secret of a long name', secretSpec('s'.repeat(65), 1), FILE_NAME],
  ['a secret with a slash', secretSpec('a/b', 1), FILE_NAME],
  ['the largest config', configSpec('c', 1_023_999)],
  [
    'a config too large',
    configSpec('c', 1_024_000),
    'config data must be larger than 0 and less than 1024000 bytes',
  ],
]);
