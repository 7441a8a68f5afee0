import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Task } from '../../../proto/gen/swarm/objects.ts';
import type { ContainerSpec } from '../../../proto/gen/swarm/specs.ts';
import { NodeDescription } from '../../../proto/gen/swarm/types.ts';
import { createBody } from '../../../worker/agent/container/create-body.ts';
import { containerSpecOf, taskName } from '../../../worker/agent/container/task-context.ts';
import { task } from '../../manager/dispatcher/objects.ts';

const node = {
  id: 'node-1',
  description: NodeDescription.fromPartial({
    hostname: 'host-1',
    platform: { architecture: 'x86_64', os: 'linux' },
  }),
};

function body(container: object, fields: Parameters<typeof task>[2] = {}) {
  const made = task('t1', 'node-1', {
    serviceId: 'svc-1',
    serviceAnnotations: { name: 'web', labels: { tier: 'front' } },
    ...fields,
    spec: {
      ...fields?.spec,
      runtime: { $case: 'container', container: { image: 'busybox', ...container } },
    },
  });
  return createBody(made, containerSpecOf(made) as ContainerSpec, node);
}

test('names and labels say whose container it is, and users cannot say otherwise', () => {
  assert.equal(taskName(task('t1', 'node-1')), 'web.1.t1');
  assert.equal(taskName(task('t1', 'node-1', { slot: 0 })), 'web.node-1.t1');
  const labels = { mine: 'yes', 'com.docker.swarm.task.id': 'forged' };
  assert.deepEqual(body({ labels }).Labels, {
    mine: 'yes',
    'com.docker.swarm.task': '',
    'com.docker.swarm.task.id': 't1',
    'com.docker.swarm.task.name': 'web.1.t1',
    'com.docker.swarm.node.id': 'node-1',
    'com.docker.swarm.service.id': 'svc-1',
    'com.docker.swarm.service.name': 'web',
  });
});

test('placeholders are filled in values of the environment, mounts and the host name', () => {
  const made = body({
    hostname: '{{.Service.Name}}-{{.Task.Slot}}',
    env: [
      'A={{.Node.Hostname}}',
      '{{.B}}=x',
      'C={{index .Service.Labels "tier"}}',
      'D',
      'E={{join "-" .Node.Platform.OS .Task.ID}}',
      'F={{index .Service.Labels "none"}}',
    ],
    mounts: [{ type: 1, source: 'data-{{.Task.Slot}}', target: '/{{.Service.ID}}' }],
  });
  assert.equal(made.Hostname, 'web-1');
  assert.deepEqual(made.Env, ['A=host-1', '{{.B}}=x', 'C=front', 'D', 'E=linux-t1', 'F=']);
  assert.equal(made.HostConfig?.Mounts?.[0]?.Source, 'data-1');
  assert.equal(made.HostConfig?.Mounts?.[0]?.Target, '/svc-1');
});

test('a placeholder that nobody knows is refused', () => {
  assert.throws(() => body({ hostname: '{{.Task.Labels.x}}' }), { code: 'SWM_INVALID_ARGUMENT' });
  assert.throws(() => body({ hostname: '{{.Node.' }), { code: 'SWM_INVALID_ARGUMENT' });
});

test('a command replaces the entrypoint, arguments alone do not', () => {
  const both = body({ command: ['/bin/a'], args: ['-x'] });
  assert.deepEqual([both.Entrypoint, both.Cmd], [['/bin/a'], ['-x']]);
  const args = body({ args: ['-x'] });
  assert.deepEqual([args.Entrypoint, args.Cmd], [undefined, ['-x']]);
});

test('limits bound the container, reservations do not', () => {
  const { HostConfig } = body(
    { pidsLimit: 9, ulimits: [{ name: 'nofile', soft: 10, hard: 20 }] },
    {
      spec: {
        resources: {
          limits: { nanoCpus: 5e8, memoryBytes: 1000 },
          reservations: { nanoCpus: 1e9, memoryBytes: 500 },
          swapBytes: 24,
        },
      },
    },
  );
  assert.equal(HostConfig?.NanoCpus, 5e8);
  assert.equal(HostConfig?.Memory, 1000);
  assert.equal(HostConfig?.MemorySwap, 1024);
  assert.equal(HostConfig?.MemoryReservation, undefined);
  assert.equal(HostConfig?.PidsLimit, 9);
  assert.deepEqual(HostConfig?.Ulimits, [{ Name: 'nofile', Soft: 10, Hard: 20 }]);
});

test('generic resources, hosts, capabilities and security options take their Docker form', () => {
  const { Env, HostConfig } = body(
    {
      hosts: ['10.0.0.1 db database', 'nonsense'],
      capabilityAdd: ['CAP_NET_ADMIN'],
      privileges: {
        noNewPrivileges: true,
        seccomp: { mode: 1 },
        apparmor: { mode: 1 },
        selinuxContext: { user: 'u', type: 't' },
      },
    },
    {
      assignedGenericResources: [
        { resource: { $case: 'named', named: { kind: 'gpu', value: 'a' } } },
        { resource: { $case: 'named', named: { kind: 'gpu', value: 'b' } } },
      ],
    },
  );
  assert.deepEqual(Env, ['DOCKER_RESOURCE_GPU=a,b']);
  assert.deepEqual(HostConfig?.ExtraHosts, ['db:10.0.0.1']);
  assert.deepEqual(HostConfig?.CapAdd, ['CAP_NET_ADMIN']);
  assert.deepEqual(HostConfig?.SecurityOpt, [
    'no-new-privileges=true',
    'label=user:u',
    'label=type:t',
    'seccomp=unconfined',
    'apparmor=unconfined',
  ]);
});

test('host-mode ports are bound on the node, ingress ports are not', () => {
  const endpoint: NonNullable<Parameters<typeof task>[2]>['endpoint'] = {
    ports: [
      { protocol: 0, targetPort: 80, publishedPort: 8080, publishMode: 1 },
      { protocol: 1, targetPort: 53, publishedPort: 0, publishMode: 1 },
      { protocol: 0, targetPort: 443, publishedPort: 8443, publishMode: 0 },
    ],
  };
  const made = body({}, { endpoint });
  assert.deepEqual(made.HostConfig?.PortBindings, {
    '80/tcp': [{ HostPort: '8080' }],
    '53/udp': [{ HostPort: '' }],
  });
  assert.deepEqual(Object.keys(made.ExposedPorts ?? {}), ['80/tcp', '53/udp', '443/tcp']);
});

test('a health check keeps its times in nanoseconds', () => {
  const { Healthcheck } = body({
    healthcheck: { test: ['CMD', 'x'], interval: { seconds: 1, nanos: 5e8 }, retries: 3 },
  });
  assert.deepEqual(Healthcheck, {
    Test: ['CMD', 'x'],
    Interval: 1_500_000_000,
    Timeout: 0,
    StartPeriod: 0,
    StartInterval: 0,
    Retries: 3,
  });
});

test('the network mode follows what the task is attached to', () => {
  const attached = (name: string, driver: string): Pick<Task, 'networks'> => ({
    networks: [
      {
        network: {
          id: `${name}-id`,
          spec: {
            annotations: { name, labels: {}, indices: [] },
            driverConfig: { name: driver, options: {} },
          },
        },
        addresses: [],
        aliases: [],
        driverAttachmentOpts: {},
      } as unknown as Task['networks'][number],
    ],
  });
  assert.equal(body({}).HostConfig?.NetworkMode, 'default');
  assert.equal(body({}, attached('host', 'host')).HostConfig?.NetworkMode, 'host');
  assert.equal(body({}, attached('bridge', 'bridge')).HostConfig?.NetworkMode, 'bridge');
  assert.equal(body({}, attached('back', 'overlay')).HostConfig?.NetworkMode, '');
});

test('a mount that this node cannot make is refused', () => {
  assert.throws(() => body({ mounts: [{ type: 4, source: 'v', target: '/v' }] }), /type cluster/);
});
