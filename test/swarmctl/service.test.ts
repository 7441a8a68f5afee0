import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Case, testCases } from './cases.ts';
import { FakeEngine, type Route } from './fake-engine.ts';
import { run } from './run.ts';

const DIGEST = `sha256:${'d'.repeat(64)}`;
const created = { status: 201, json: { ID: 'svc1' } };
const spec = {
  Name: 'web',
  Labels: { a: 'b' },
  TaskTemplate: {
    ContainerSpec: { Image: 'nginx:1', Env: ['A=1', 'B=2'] },
    Networks: [{ Target: 'net1' }],
    ForceUpdate: 3,
  },
  Mode: { Replicated: { Replicas: 2 } },
  EndpointSpec: {
    Mode: 'vip',
    Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }],
  },
};
const service = {
  ID: 'svc1svc1svc1svc1',
  Version: { Index: 7 },
  Spec: spec,
  Endpoint: { Ports: spec.EndpointSpec.Ports },
  ServiceStatus: { RunningTasks: 1, DesiredTasks: 2 },
};

type Part = Record<string, unknown>;
let engine: FakeEngine;

before(async () => {
  engine = await FakeEngine.start();
});
after(() => engine.stop());

describe('service create', () => {
  async function specOf(...options: string[]): Promise<Part> {
    engine.serve({
      'POST /services/create': created,
      'GET /networks/net': { json: { Id: 'net1' } },
      'GET /secrets': { json: [{ ID: 'sec1', Spec: { Name: 's' } }] },
      'GET /configs': { json: [{ ID: 'cfg1', Spec: { Name: 'c' } }] },
    });
    const args = ['service', 'create', '--detach', '--no-resolve-image', ...options];
    const result = await run(engine, args);
    assert.deepEqual(result, { code: 0, stdout: 'svc1\n', stderr: '' });
    return engine.sent('POST /services/create') as Part;
  }
  const task = (body: Part) => body['TaskTemplate'] as Record<string, Part>;
  const container = (body: Part) => task(body)['ContainerSpec'] as Part;

  test('networks, secrets and configs go by id', async () => {
    const options = [
      '--network',
      'name=net,alias=x',
      '--secret',
      's',
      '--config',
      'source=c,mode=0400',
    ];
    const body = await specOf(...options, '--name', 'web', 'nginx');
    assert.deepEqual(task(body)['Networks'], [{ Target: 'net1', Aliases: ['x'] }]);
    const file = (Name: string, Mode: number) => ({ Name, UID: '0', GID: '0', Mode });
    assert.deepEqual(container(body)['Secrets'], [
      { File: file('s', 0o444), SecretID: 'sec1', SecretName: 's' },
    ]);
    assert.deepEqual(container(body)['Configs'], [
      { File: file('c', 0o400), ConfigID: 'cfg1', ConfigName: 'c' },
    ]);
    assert.ok(engine.asked.includes('GET /networks/net?scope=swarm'));
  });

  test('ports, replicas, limits, updates; the command is the container’s', async () => {
    const body = await specOf(
      ...['--publish', '8080:80', '-p', 'target=53,published=53,protocol=udp,mode=host'],
      ...['--replicas', '5', '--limit-memory', '64m', '--limit-cpu', '.5'],
      ...['--update-delay', '1m', '--update-order', 'start-first', '--stop-grace-period', '5s'],
      ...['nginx', 'sh', '-c', '--replicas'],
    );
    assert.deepEqual(container(body)['Args'], ['sh', '-c', '--replicas']);
    assert.equal(container(body)['StopGracePeriod'], 5e9);
    assert.deepEqual(body['Mode'], { Replicated: { Replicas: 5 } });
    assert.deepEqual(task(body)['Resources']?.['Limits'], {
      NanoCPUs: 5e8,
      MemoryBytes: 67_108_864,
    });
    const ports = [
      { Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' },
      { Protocol: 'udp', TargetPort: 53, PublishedPort: 53, PublishMode: 'host' },
    ];
    assert.deepEqual(body['EndpointSpec'], { Mode: 'vip', Ports: ports });
    const update = body['UpdateConfig'] as Part;
    assert.deepEqual([update['Delay'], update['Order']], [60e9, 'start-first']);
  });

  test('global services and jobs', async () => {
    assert.deepEqual((await specOf('--mode', 'global', 'x'))['Mode'], { Global: {} });
    const job = await specOf(
      '--mode',
      'replicated-job',
      '--replicas',
      '5',
      '--max-concurrent',
      '2',
      'x',
    );
    assert.deepEqual(job['Mode'], { ReplicatedJob: { TotalCompletions: 5, MaxConcurrent: 2 } });
  });
});

test('the image is pinned to its digest, with the login for its registry', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'login-'));
  try {
    const auth = Buffer.from('u:p').toString('base64');
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ auths: { 'host:5000': { auth } } }));
    const distribution: Route = {
      json: { Descriptor: { digest: DIGEST }, Platforms: [{ architecture: 'amd64', os: 'linux' }] },
    };
    const routes = {
      'POST /services/create': created,
      'GET /distribution/host:5000/a/json': distribution,
    };
    const args = ['service', 'create', '-d'];
    const env = { DOCKER_CONFIG: dir };
    const login = { username: 'u', password: 'p', serveraddress: 'host:5000' };
    const loginOf = (i: number) =>
      JSON.parse(
        Buffer.from(
          String(engine.requests[i]?.headers['x-registry-auth'] ?? 'e30'),
          'base64url',
        ).toString(),
      );
    engine.serve(routes);
    await run(engine, [...args, '--with-registry-auth', 'host:5000/a'], { env });
    assert.deepEqual([loginOf(0), loginOf(1)], [login, login]);
    const { TaskTemplate } = engine.sent('POST /services/create') as {
      TaskTemplate: { ContainerSpec: { Image: string }; Placement: { Platforms: object[] } };
    };
    assert.equal(TaskTemplate.ContainerSpec.Image, `host:5000/a:latest@${DIGEST}`);
    assert.deepEqual(TaskTemplate.Placement.Platforms, [{ Architecture: 'amd64', OS: 'linux' }]);
    engine.serve(routes);
    await run(engine, [...args, 'host:5000/a'], { env });
    assert.deepEqual([loginOf(0), loginOf(1)], [login, {}], 'the spec has no login unless asked');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

describe('service update', () => {
  async function updated(...options: string[]): Promise<typeof spec & Part> {
    engine.serve({
      'GET /services/web': { json: service },
      'GET /networks/other': { json: { Id: 'net2' } },
      'GET /networks/net': { json: { Id: 'net1' } },
      [`POST /services/${service.ID}/update`]: { json: { Warnings: null } },
    });
    const result = await run(engine, ['service', 'update', '-d', ...options, 'web']);
    assert.deepEqual(result, { code: 0, stdout: 'web\n', stderr: '' });
    const query = engine.requests.at(-1)?.query;
    assert.equal(query?.['version'], '7');
    return engine.sent(`POST /services/${service.ID}/update`) as typeof spec & Part;
  }

  test('changes what it is told, and keeps the rest', async () => {
    const body = await updated(
      '--env-add',
      'B=3',
      '--env-rm',
      'A',
      '--label-add',
      'c=d',
      '--force',
    );
    assert.deepEqual(body.TaskTemplate.ContainerSpec.Env, ['B=3']);
    assert.deepEqual(body.Labels, { a: 'b', c: 'd' });
    assert.equal(body.TaskTemplate.ForceUpdate, 4);
    assert.deepEqual(body.Mode, spec.Mode);
    assert.deepEqual(body.EndpointSpec, spec.EndpointSpec);
    assert.equal(body.TaskTemplate.ContainerSpec.Image, 'nginx:1');
  });

  test('ports and networks', async () => {
    const body = await updated(
      '--publish-rm',
      '80',
      '--publish-add',
      '9090:90',
      '--network-add',
      'other',
      '--network-rm',
      'net',
    );
    assert.deepEqual(
      body.EndpointSpec.Ports.map((port) => [port.PublishedPort, port.TargetPort]),
      [[9090, 90]],
    );
    assert.deepEqual(body.TaskTemplate.Networks, [{ Target: 'net2' }]);
  });
});

const now = new Date(Date.now() - 3 * 60_000).toISOString();
const task = (ID: string, Slot: number, state: string, more: object = {}) => ({
  ID: ID.repeat(25),
  ServiceID: service.ID,
  NodeID: 'n1',
  Slot,
  CreatedAt: now,
  DesiredState: state === 'running' ? 'running' : 'shutdown',
  Spec: { ContainerSpec: { Image: `nginx:1@${DIGEST}` } },
  Status: { Timestamp: now, State: state, Message: '', ...more },
});
const ps = {
  'GET /services': ({ query }: { query: Readonly<Record<string, string>> }) => ({
    json: query['filters']?.includes('web') ? [service] : [],
  }),
  'GET /tasks': {
    json: [
      task('b', 10, 'running', {
        PortStatus: { Ports: [{ PublishedPort: 90, TargetPort: 9, Protocol: 'tcp' }] },
      }),
      task('a', 2, 'running'),
      task('c', 2, 'failed', { Err: 'task: non-zero exit (1): out of memory' }),
    ],
  },
  [`GET /services/${service.ID}`]: { json: service },
  'GET /nodes/n1': { json: { Spec: {}, Description: { Hostname: 'host1' } } },
};

const cases: readonly Case[] = [
  {
    args: ['service', 'ls'],
    routes: { 'GET /services': { json: [service] } },
    asked: ['GET /services?status=true'],
    stdout: [
      'ID             NAME      MODE         REPLICAS   IMAGE     PORTS',
      'svc1svc1svc1   web       replicated   1/2        nginx:1   *:8080->80/tcp',
    ],
  },
  {
    args: ['service', 'ps', 'web'],
    routes: ps,
    stdout: [
      'ID             NAME        IMAGE     NODE      DESIRED STATE   CURRENT STATE           ERROR' +
        '                              PORTS',
      'aaaaaaaaaaaa   web.2       nginx:1   host1     Running         Running 3 minutes ago',
      'cccccccccccc    \\_ web.2   nginx:1   host1     Shutdown        Failed 3 minutes ago    ' +
        '"task: non-zero exit (1): out …"',
      'bbbbbbbbbbbb   web.10      nginx:1   host1     Running         Running 3 minutes ago' +
        '                                      *:90->9/tcp',
    ],
  },
  {
    args: ['service', 'ps', '--no-trunc', '--format', '{{.Name}} {{.Error}}', 'web', 'nope'],
    routes: ps,
    code: 1,
    stdout: ['web.2 ', 'web.2 "task: non-zero exit (1): out of memory"', 'web.10 '],
    stderr: 'no such service: nope\n',
  },
  {
    args: ['service', 'inspect', 'nope'],
    code: 1,
    stdout: '[]\n',
    stderr: 'Error: no such service: nope\n',
  },
  {
    args: ['service', 'rm', 'web', 'nope'],
    routes: {
      'DELETE /services/web': {},
      'DELETE /services/nope': { status: 404, json: { message: 'service nope not found' } },
    },
    code: 1,
    stdout: 'web\n',
    stderr: 'Error response from daemon: service nope not found\n',
  },
  {
    args: ['service', 'scale', '-d', 'web=5'],
    routes: {
      'GET /services/web': { json: service },
      [`POST /services/${service.ID}/update`]: { json: {} },
    },
    sent: {
      [`POST /services/${service.ID}/update`]: { ...spec, Mode: { Replicated: { Replicas: 5 } } },
    },
    stdout: 'web scaled to 5\n',
  },
  { args: ['service', 'scale', 'web'], code: 1, stderr: /use SERVICE=REPLICAS, e\.g\. web=3/ },
  {
    args: ['service', 'create', '-p', '70000:80', 'x'],
    code: 125,
    stderr: /invalid containerPort: 70000/,
  },
];

testCases('services', cases);

test('create waits until the service has converged, and says how it gets on', async () => {
  let polls = 0;
  const monitored = { ...service, ID: 'svc1', Spec: { ...spec, UpdateConfig: { Monitor: 1 } } };
  engine.serve({
    'POST /services/create': created,
    'GET /services/svc1': { json: monitored },
    'GET /tasks': () => {
      polls += 1;
      const running = task('a', 1, 'running');
      return { json: polls === 1 ? [running] : [running, task('b', 2, 'running')] };
    },
    'GET /nodes': { json: [{ ID: 'n1', Status: { State: 'ready' } }] },
  });
  const args = ['service', 'create', '--no-resolve-image', '--replicas', '2', 'nginx'];
  const { stdout, code } = await run(engine, args);
  const lines = stdout.split('\n').filter((line) => !line.startsWith('verify: Waiting'));
  assert.deepEqual(lines, [
    'svc1',
    'overall progress: 1 out of 2 tasks',
    'overall progress: 2 out of 2 tasks',
    'verify: Service svc1 converged',
    '',
  ]);
  assert.equal(code, 0);
});

test('an update that is paused is an error', async () => {
  const paused = { ...service, UpdateStatus: { State: 'paused', Message: 'task failed' } };
  engine.serve({
    'GET /services/web': { json: service },
    [`POST /services/${service.ID}/update`]: { json: {} },
    [`GET /services/${service.ID}`]: { json: paused },
    'GET /tasks': { json: [] },
    'GET /nodes': { json: [] },
  });
  const result = await run(engine, ['service', 'update', '--force', 'web']);
  assert.deepEqual(result, {
    code: 1,
    stdout: 'web\n',
    stderr: 'service update paused: task failed\n',
  });
});
