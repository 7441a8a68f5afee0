import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../../proto/gen/swarm/objects.ts';
import { SecretSpec, ServiceSpec } from '../../../proto/gen/swarm/specs.ts';
import { UpdateStatus_UpdateState } from '../../../proto/gen/swarm/types.ts';
import { controlBench, networkSpec, serviceSpec } from './fixture.ts';

const published = (port: number) => ({
  endpoint: { ports: [{ targetPort: 80, publishedPort: port }] },
});
const versionOf = (service: Service) => service.meta?.version?.index ?? -1;

/** A changed spec: another image. */
const reimaged = (spec: ServiceSpec | undefined, image: string) =>
  ServiceSpec.fromPartial({
    ...spec,
    task: { ...spec?.task, runtime: { $case: 'container', container: { image } } },
  });

test('a service is made with its virtual IP and port', async () => {
  const { control, store } = await controlBench();
  const service = await control.createService(serviceSpec('web', published(8080)));
  assert.match(service.id, /^[0-9a-z]{25}$/);
  assert.equal(service.specVersion?.index, 0);
  assert.equal(service.endpoint?.ports[0]?.publishedPort, 8080);
  assert.equal(service.endpoint?.virtualIps.length, 1);
  assert.deepEqual(
    store.view((tx) => tx.get('service', service.id)),
    service,
  );
  assert(versionOf(service) > 0);
});

test('a taken name is refused, in any case', async () => {
  const { control } = await controlBench();
  await control.createService(serviceSpec('web'));
  await assert.rejects(control.createService(serviceSpec('WEB')), {
    code: 'SWM_CONFLICT',
    message: 'name conflicts with an existing object: service WEB already exists',
  });
});

test('a taken port is refused, and leaves nothing behind', async () => {
  const { control, store } = await controlBench();
  const web = await control.createService(serviceSpec('web', published(8080)));
  await assert.rejects(control.createService(serviceSpec('two', published(8080))), {
    code: 'SWM_INVALID_ARGUMENT',
    message: `port '8080' is already in use by service 'web' (${web.id}) as an ingress port`,
  });
  assert.equal(
    store.view((tx) => tx.count('service')),
    1,
  );
});

test('networks are named by id after that, whatever the client wrote', async () => {
  const { control } = await controlBench();
  const net = await control.createNetwork(networkSpec('net'));
  const spec = serviceSpec('web', {
    task: { ...serviceSpec('').task, networks: [{ target: 'net' }] },
  });
  const service = await control.createService(spec);
  assert.equal(service.spec?.task?.networks[0]?.target, net.id);
  assert.equal(service.endpoint?.virtualIps[0]?.networkId, net.id);
});

test('one network by id and by name is refused', async () => {
  const { control } = await controlBench();
  const net = await control.createNetwork(networkSpec('net'));
  const networks = [{ target: 'net' }, { target: net.id }];
  const spec = serviceSpec('web', { task: { ...serviceSpec('').task, networks } });
  await assert.rejects(control.createService(spec), {
    message: 'a network of the service is given twice',
  });
});

test('unknown and forbidden networks are refused', async () => {
  const { control } = await controlBench();
  const on = (target: string) =>
    control.createService(
      serviceSpec('web', { task: { ...serviceSpec('').task, networks: [{ target }] } }),
    );
  await assert.rejects(on('nope'), { code: 'SWM_NOT_FOUND', message: 'network nope not found' });
  await assert.rejects(on('ingress'), {
    message: 'Service cannot be explicitly attached to the ingress network "ingress"',
  });
});

test('secrets must exist by id and name', async () => {
  const { control } = await controlBench();
  const spec = SecretSpec.fromPartial({ annotations: { name: 'key' }, data: Buffer.from('x') });
  const { id } = await control.createSecret(spec);
  const using = (secretId: string, secretName: string) => {
    const secrets = [{ secretId, secretName, file: { name: 'key' } }];
    const container = { image: 'busybox', secrets };
    const task = { runtime: { $case: 'container' as const, container } };
    return control.createService(serviceSpec(`web-${secretName}`, { task }));
  };
  await using(id, 'key');
  await assert.rejects(using(id, 'other'), { message: 'secret not found: other' });
  await assert.rejects(using('unknown', 'key'), { message: 'secret not found: key' });
});

test('ingress ports need an ingress network', async () => {
  const { control, store } = await controlBench();
  const [ingress] = store.view((tx) => tx.find('network', { name: 'ingress' }));
  await control.removeNetwork(ingress?.id ?? '');
  await assert.rejects(control.createService(serviceSpec('web', published(80))), {
    code: 'SWM_FAILED_PRECONDITION',
    message: 'service needs ingress network, but no ingress network is present',
  });
});

test('an update keeps the spec before and counts versions', async () => {
  const { control } = await controlBench();
  const first = await control.createService(serviceSpec('web'));
  const second = await control.updateService(
    first.id,
    versionOf(first),
    reimaged(first.spec, 'busybox:2'),
    false,
  );
  assert.deepEqual(second.previousSpec, first.spec);
  assert.equal(second.specVersion?.index, versionOf(first));
  assert.equal(second.previousSpecVersion?.index, 0);
  assert(versionOf(second) > versionOf(first));
});

test('an update of an old version is refused', async () => {
  const { control } = await controlBench();
  const first = await control.createService(serviceSpec('web'));
  await control.updateService(first.id, versionOf(first), reimaged(first.spec, 'a'), false);
  await assert.rejects(
    control.updateService(first.id, versionOf(first), reimaged(first.spec, 'b'), false),
    { code: 'SWM_OUT_OF_SEQUENCE', message: 'update out of sequence' },
  );
});

test('an update of what was read before the swarm rolled back is refused', async () => {
  const { control, store } = await controlBench();
  const first = await control.createService(serviceSpec('web'));
  const spec = reimaged(first.spec, 'busybox:2');
  const second = await control.updateService(first.id, versionOf(first), spec, false);
  await store.update((tx) => {
    const service = tx.get('service', first.id) as Service;
    tx.update('service', { ...service, spec: service.previousSpec, previousSpec: undefined });
  });
  await assert.rejects(control.updateService(first.id, versionOf(second), spec, false), {
    code: 'SWM_OUT_OF_SEQUENCE',
  });
});

test('a rollback swaps the specs, and needs one before', async () => {
  const { control } = await controlBench();
  const first = await control.createService(serviceSpec('web'));
  const back = (service: Service) =>
    control.updateService(service.id, versionOf(service), service.spec as ServiceSpec, true);
  await assert.rejects(back(first), {
    code: 'SWM_FAILED_PRECONDITION',
    message: `service ${first.id} does not have a previous spec`,
  });
  const spec = reimaged(first.spec, 'busybox:2');
  const second = await control.updateService(first.id, versionOf(first), spec, false);
  const third = await back(second);
  assert.deepEqual(third.spec, first.spec);
  assert.deepEqual(third.previousSpec, second.spec);
  assert.equal(third.updateStatus?.state, UpdateStatus_UpdateState.ROLLBACK_STARTED);
  assert.equal(third.updateStatus?.message, 'manually requested rollback');
});

test('name and mode are for ever', async () => {
  const { control } = await controlBench();
  const service = await control.createService(serviceSpec('web'));
  const change = (spec: ServiceSpec) =>
    control.updateService(service.id, versionOf(service), spec, false);
  await assert.rejects(change(serviceSpec('other')), {
    code: 'SWM_NOT_IMPLEMENTED',
    message: 'renaming services is not supported',
  });
  await assert.rejects(change(serviceSpec('web', { mode: { $case: 'global', global: {} } })), {
    code: 'SWM_NOT_IMPLEMENTED',
    message: 'service mode change is not allowed',
  });
});

test('a job runs again with every update', async () => {
  const { control } = await controlBench();
  const mode = { $case: 'replicatedJob' as const, replicatedJob: { totalCompletions: 1 } };
  const job = await control.createService(serviceSpec('job', { mode }));
  assert.equal(job.jobStatus?.jobIteration?.index, 0);
  const spec = job.spec as ServiceSpec;
  const again = await control.updateService(job.id, versionOf(job), spec, false);
  assert.equal(again.jobStatus?.jobIteration?.index, 1);
});

test('what is not there cannot be changed or removed', async () => {
  const { control } = await controlBench();
  const missing = { code: 'SWM_NOT_FOUND', message: 'service x not found' };
  await assert.rejects(control.updateService('x', 1, serviceSpec('web'), false), missing);
  await assert.rejects(control.removeService('x'), missing);
});
