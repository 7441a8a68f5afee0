import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Task } from '../../../proto/gen/swarm/objects.ts';
import { NodeRole, TaskState } from '../../../proto/gen/swarm/types.ts';
import { addPredefined } from '../../manager/control/fixture.ts';
import { type ApiBench, addNode, apiBench, NODE_ID } from './bench.ts';

const WEB = {
  Name: 'web',
  Labels: { tier: 'front' },
  TaskTemplate: {
    ContainerSpec: { Image: 'nginx:alpine', Init: false, DNSConfig: {} },
    ForceUpdate: 0,
  },
  Mode: { Replicated: { Replicas: 2 } },
  EndpointSpec: { Mode: 'vip', Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080 }] },
};

async function createWeb({ call }: ApiBench, change: object = {}): Promise<string> {
  const { status, json } = await call('POST', '/services/create', { ...WEB, ...change });
  assert.equal(status, 201, JSON.stringify(json));
  return json.ID;
}

/** Puts a task of `service` into the store as the orchestrator would. */
async function addTask(bench: ApiBench, serviceId: string, partial: Partial<Task>): Promise<void> {
  await bench.control.store.update((tx) => {
    const service = tx.get('service', serviceId)!;
    const task = Task.fromPartial({
      id: 'taskaaaaaaaaaaaaaaaaaaaaa',
      serviceId,
      slot: 1,
      nodeId: NODE_ID,
      desiredState: TaskState.RUNNING,
      status: { state: TaskState.RUNNING, message: 'started', timestamp: new Date(5_000) },
      serviceAnnotations: service.spec!.annotations!,
      spec: service.spec!.task!,
      specVersion: service.specVersion!,
      ...(partial as object),
    });
    tx.create('task', task);
  });
}

test('nodes: list, filters, inspect', async () => {
  const bench = await apiBench();
  await addNode(bench.control, 'workerbbbbbbbbbbbbbbbbbbb', 'host2', NodeRole.WORKER);
  const names = async (filters: object) => {
    const query = encodeURIComponent(JSON.stringify(filters));
    const { json } = await bench.call('GET', `/nodes?filters=${query}`);
    return json.map((node: { Description: { Hostname: string } }) => node.Description.Hostname);
  };
  assert.deepEqual((await names({})).sort(), ['host1', 'host2']);
  assert.deepEqual(await names({ role: { manager: true } }), ['host1']);
  assert.deepEqual((await names({ name: { host: true } })).length, 2);
  assert.deepEqual(await names({ id: { workerb: true } }), ['host2']);
  assert.deepEqual(await names({ 'node.label': { 'zone=host2': true } }), ['host2']);
  assert.deepEqual(await names({ membership: { pending: true } }), []);
  const { json } = await bench.call('GET', '/nodes/host1');
  assert.deepEqual(json.ManagerStatus, {
    Leader: true,
    Reachability: 'reachable',
    Addr: '10.1.0.1:2377',
  });
  assert.deepEqual(json.Status, { State: 'ready', Addr: '10.1.0.1' });
  const worker = await bench.call('GET', '/nodes/workerb');
  assert.equal(worker.json.ManagerStatus, undefined);
  const missing = await bench.call('GET', '/nodes/nope');
  assert.deepEqual([missing.status, missing.json.message], [404, 'node nope not found']);
});

test('nodes: two of one name are ambiguous', async () => {
  const bench = await apiBench();
  for (const id of ['bbb', 'ccc']) await addNode(bench.control, id, 'twin', NodeRole.WORKER);
  const { status, json } = await bench.call('GET', '/nodes/twin');
  assert.deepEqual([status, json.message], [400, 'node twin is ambiguous (2 matches found)']);
});

test('nodes: update and removal', async () => {
  const bench = await apiBench();
  const { json } = await bench.call('GET', `/nodes/${NODE_ID}`);
  const spec = { ...json.Spec, Availability: 'drain', Labels: { a: 'b' } };
  const url = `/nodes/host1/update?version=${json.Version.Index}`;
  assert.equal((await bench.call('POST', url, spec)).status, 200);
  const { json: after } = await bench.call('GET', '/nodes/host1');
  assert.deepEqual(after.Spec, { Labels: { a: 'b' }, Role: 'manager', Availability: 'drain' });
  const stale = await bench.call('POST', url, spec);
  assert.match(stale.json.message, /update out of sequence$/);
  const demoted = await bench.call('POST', `/nodes/host1/update?version=${after.Version.Index}`, {
    ...after.Spec,
    Role: 'worker',
  });
  assert.equal(demoted.json.message, 'attempting to demote the last manager of the swarm');
  const removed = await bench.call('DELETE', '/nodes/host1');
  assert.equal(removed.status, 400);
  assert.match(removed.json.message, /is a cluster manager and is a member of the raft cluster/);
});

test('services: create, look up, list', async () => {
  const bench = await apiBench();
  const id = await createWeb(bench);
  for (const ref of [id, 'web', id.slice(0, 8)]) {
    assert.equal((await bench.call('GET', `/services/${ref}`)).json.ID, id);
  }
  const { json } = await bench.call('GET', '/services/web?insertDefaults=true');
  assert.equal(json.Spec.UpdateConfig.Monitor, 5_000_000_000);
  assert.equal(json.Endpoint.VirtualIPs.length, 1);
  const twice = await bench.call('POST', '/services/create', WEB);
  assert.equal(twice.status, 409);
  assert.match(twice.json.message, /name conflicts with an existing object: service web already/);
  const ids = async (filters: object) => {
    const query = encodeURIComponent(JSON.stringify(filters));
    return (await bench.call('GET', `/services?filters=${query}`)).json.length;
  };
  assert.equal(await ids({ name: { we: true } }), 1);
  assert.equal(await ids({ name: { eb: true } }), 0);
  assert.equal(await ids({ mode: { replicated: true } }), 1);
  assert.equal(await ids({ mode: { global: true } }), 0);
  assert.equal(await ids({ label: { 'tier=front': true } }), 1);
  assert.equal(await ids({ label: { tier: true, other: true } }), 0);
});

test('services: without a name one is made up', async () => {
  const bench = await apiBench();
  const id = await createWeb(bench, { Name: '', EndpointSpec: {} });
  const { json } = await bench.call('GET', `/services/${id}`);
  assert.match(json.Spec.Name, /^[a-z]+_[a-z]+$/);
});

test('services: status counts tasks', async () => {
  const bench = await apiBench();
  const id = await createWeb(bench);
  await addTask(bench, id, {});
  await addTask(bench, id, {
    id: 'taskbbbbbbbbbbbbbbbbbbbbb',
    desiredState: TaskState.SHUTDOWN,
  });
  const { json } = await bench.call('GET', '/services?status=true');
  assert.deepEqual(json[0].ServiceStatus, {
    RunningTasks: 1,
    DesiredTasks: 2,
    CompletedTasks: 0,
  });
  const { json: plain } = await bench.call('GET', '/services');
  assert.equal(plain[0].ServiceStatus, undefined);
});

test('services: update, rollback, removal', async () => {
  const bench = await apiBench();
  await createWeb(bench);
  const version = async () => (await bench.call('GET', '/services/web')).json.Version.Index;
  const post = async (query: string, spec: object) =>
    bench.call('POST', `/services/web/update?version=${await version()}${query}`, spec);
  const early = await post('&rollback=previous', WEB);
  assert.equal(early.json.message, 'service web does not have a previous spec');
  const scaled = await post('', { ...WEB, Mode: { Replicated: { Replicas: 5 } } });
  assert.deepEqual([scaled.status, scaled.json], [200, { Warnings: null }]);
  const { json: after } = await bench.call('GET', '/services/web');
  assert.equal(after.Spec.Mode.Replicated.Replicas, 5);
  assert.equal(after.PreviousSpec.Mode.Replicated.Replicas, 2);
  assert.equal((await post('&rollback=previous', after.Spec)).status, 200);
  const { json: back } = await bench.call('GET', '/services/web');
  assert.equal(back.Spec.Mode.Replicated.Replicas, 2);
  const renamed = await post('', { ...WEB, Name: 'other' });
  assert.deepEqual(
    [renamed.status, renamed.json.message],
    [501, 'renaming services is not supported'],
  );
  assert.equal((await post('&rollback=sideways', WEB)).status, 400);
  assert.equal((await bench.call('DELETE', '/services/web')).status, 200);
  const gone = await bench.call('DELETE', '/services/web');
  assert.deepEqual([gone.status, gone.json.message], [404, 'service web not found']);
});

test('services: an update that changes nothing leaves the tasks up to date', async () => {
  const bench = await apiBench();
  const id = await createWeb(bench);
  await addTask(bench, id, {});
  const { json } = await bench.call('GET', `/services/${id}`);
  await bench.call('POST', `/services/${id}/update?version=${json.Version.Index}`, json.Spec);
  const upToDate = encodeURIComponent('{"_up-to-date":{"true":true}}');
  assert.equal((await bench.call('GET', `/tasks?filters=${upToDate}`)).json.length, 1);
  const { json: second } = await bench.call('GET', `/services/${id}`);
  second.Spec.TaskTemplate.ContainerSpec.Image = 'nginx:2';
  await bench.call('POST', `/services/${id}/update?version=${second.Version.Index}`, second.Spec);
  assert.equal((await bench.call('GET', `/tasks?filters=${upToDate}`)).json.length, 0);
});

test('services: credentials go along and are kept by an update without any', async () => {
  const bench = await apiBench();
  const auth = Buffer.from('{"username":"u","password":"p"}').toString('base64url');
  const { json } = await bench.call('POST', '/services/create', WEB, { 'x-registry-auth': auth });
  const stored = () => {
    const runtime = bench.control.store.view((tx) => tx.get('service', json.ID))?.spec?.task
      ?.runtime;
    return runtime?.$case === 'container' ? runtime.container.pullOptions?.registryAuth : undefined;
  };
  assert.equal(stored(), auth);
  const { json: service } = await bench.call('GET', '/services/web');
  assert.equal(JSON.stringify(service).includes(auth), false);
  const query = `version=${service.Version.Index}&registryAuthFrom=spec`;
  await bench.call('POST', `/services/web/update?${query}`, service.Spec, {
    'x-registry-auth': 'e30=',
  });
  assert.equal(stored(), auth);
  const bad = await bench.call('POST', '/services/create', WEB, { 'x-registry-auth': '!!' });
  assert.equal(bad.status, 400);
});

test('services: networks are named by name and kept by id', async () => {
  const bench = await apiBench();
  const { json: network } = await bench.call('POST', '/networks/create', {
    Name: 'ov1',
    Driver: 'overlay',
  });
  const onNetwork = (Target: string) => ({
    Name: `on-${Target}`,
    TaskTemplate: { ...WEB.TaskTemplate, Networks: [{ Target, Aliases: ['x'] }] },
    EndpointSpec: {},
  });
  const id = await createWeb(bench, onNetwork('ov1'));
  const { json } = await bench.call('GET', `/services/${id}`);
  assert.deepEqual(json.Spec.TaskTemplate.Networks, [{ Target: network.Id, Aliases: ['x'] }]);
  const local = await bench.call('POST', '/services/create', { ...WEB, ...onNetwork('bridge') });
  assert.equal(local.status, 403);
  assert.match(local.json.message, /^The network bridge cannot be used with services\. Only/);
  const none = await bench.call('POST', '/services/create', { ...WEB, ...onNetwork('nope') });
  assert.deepEqual([none.status, none.json.message], [404, 'network nope not found']);
  await addPredefined(bench.control, 'host');
  await createWeb(bench, onNetwork('host'));
});

test('services: plugins are refused, and so are other runtimes', async () => {
  const { call } = await apiBench();
  const plugin = { Name: 'p', TaskTemplate: { Runtime: 'plugin', PluginSpec: {} } };
  assert.equal((await call('POST', '/services/create', plugin)).status, 501);
  const odd = { Name: 'p', TaskTemplate: { Runtime: 'odd' } };
  assert.equal((await call('POST', '/services/create', odd)).status, 400);
});

test('tasks: filters and look-up', async () => {
  const bench = await apiBench();
  const id = await createWeb(bench);
  await addTask(bench, id, {});
  await addTask(bench, id, {
    id: 'taskbbbbbbbbbbbbbbbbbbbbb',
    slot: 2,
    desiredState: TaskState.SHUTDOWN,
  });
  const attachment = Task.fromPartial({
    id: 'attached',
    spec: { runtime: { $case: 'attachment', attachment: { containerId: 'c' } } },
  });
  await bench.control.store.update((tx) => tx.create('task', attachment));
  const count = async (filters: object) => {
    const query = encodeURIComponent(JSON.stringify(filters));
    const { status, json } = await bench.call('GET', `/tasks?filters=${query}`);
    return status === 200 ? json.length : json.message;
  };
  assert.equal(await count({}), 2);
  assert.equal(await count({ service: { web: true } }), 2);
  assert.equal(await count({ service: { web: true }, node: { host1: true } }), 2);
  assert.equal(await count({ node: { host1: true } }), 2);
  assert.equal(await count({ 'desired-state': { running: true } }), 1);
  assert.equal(await count({ name: { 'web.2': true } }), 1);
  assert.equal(await count({ id: { taskb: true } }), 1);
  assert.equal(await count({ label: { 'tier=front': true } }), 2);
  assert.equal(await count({ runtime: { attachment: true } }), 1);
  assert.equal(await count({ service: { nope: true } }), 'service nope not found');
  const { json } = await bench.call('GET', '/tasks/web.1.taskaaaaaaaaaaaaaaaaaaaaa');
  assert.equal(json.ID, 'taskaaaaaaaaaaaaaaaaaaaaa');
  assert.deepEqual(json.Status, {
    Timestamp: '1970-01-01T00:00:05Z',
    State: 'running',
    Message: 'started',
    PortStatus: {},
  });
  assert.equal(json.DesiredState, 'running');
  assert.equal((await bench.call('GET', '/tasks/nope')).json.message, 'task nope not found');
});

test('tasks: a waiting one shows why each node refused it', async () => {
  const bench = await apiBench();
  const id = await createWeb(bench);
  const rejection = { nodeId: NODE_ID, filter: 'resources', wanted: '4 CPUs', had: '2 CPUs' };
  await addTask(bench, id, { nodeId: '', rejections: [rejection] });
  const { json } = await bench.call('GET', '/tasks');
  assert.deepEqual(json[0].Rejections, [
    { NodeID: NODE_ID, Filter: 'resources', Wanted: '4 CPUs', Had: '2 CPUs' },
  ]);
});

test('tasks: where one could be placed is explained afresh', async () => {
  const bench = await apiBench();
  const Placement = { Constraints: ['node.hostname==elsewhere'] };
  const id = await createWeb(bench, { TaskTemplate: { ...WEB.TaskTemplate, Placement } });
  await addTask(bench, id, { nodeId: '', status: { state: TaskState.PENDING } as never });
  const { json } = await bench.call('GET', '/tasks/taskaaaaaaaaaaaaaaaaaaaaa/placement');
  assert.match(json.Summary, /^no suitable node/);
  assert.equal(json.Rejections[0].NodeID, NODE_ID);
  assert.match(json.Rejections[0].Wanted, /elsewhere/);
});

test('secrets: their data is never shown', async () => {
  const { call } = await apiBench();
  const body = { Name: 's1', Labels: { a: 'b' }, Data: Buffer.from('hush').toString('base64') };
  const created = await call('POST', '/secrets/create', body);
  assert.equal(created.status, 201);
  const { json } = await call('GET', '/secrets/s1');
  assert.equal(json.ID, created.json.ID);
  assert.deepEqual(json.Spec, { Name: 's1', Labels: { a: 'b' } });
  const again = await call('POST', '/secrets/create', body);
  assert.equal(again.status, 409);
  assert.match(again.json.message, /secret s1 already exists$/);
  const update = { Name: 's1', Labels: { c: 'd' } };
  const updated = await call('POST', `/secrets/s1/update?version=${json.Version.Index}`, update);
  assert.equal(updated.status, 200);
  assert.deepEqual((await call('GET', '/secrets/s1')).json.Spec.Labels, { c: 'd' });
  const filters = encodeURIComponent('{"names":{"s":true}}');
  assert.equal((await call('GET', `/secrets?filters=${filters}`)).json.length, 0);
  const removed = await call('DELETE', '/secrets/s1');
  assert.deepEqual([removed.status, removed.text], [204, '']);
  assert.deepEqual((await call('DELETE', '/secrets/s1')).json.message, 'secret s1 not found');
  const broken = await call('POST', '/secrets/create', { Name: 's2', Data: '***' });
  assert.equal(broken.status, 400);
});

test('configs: their data is shown', async () => {
  const { call } = await apiBench();
  const Data = Buffer.from('port=1').toString('base64');
  const created = await call('POST', '/configs/create', { Name: 'c1', Data });
  assert.equal(created.status, 201);
  const { json } = await call('GET', '/configs');
  assert.deepEqual(json[0].Spec, { Name: 'c1', Labels: {}, Data });
  const url = `/configs/c1/update?version=${json[0].Version.Index}`;
  const changed = await call('POST', url, { Name: 'c1', Data: 'b3RoZXI=' });
  assert.deepEqual(
    [changed.status, changed.json.message],
    [400, 'only updates to Labels are allowed'],
  );
  assert.equal((await call('DELETE', '/configs/c1')).status, 204);
});
