import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster } from '../../../proto/gen/swarm/objects.ts';
import { ClusterSpec, ConfigSpec, SecretSpec } from '../../../proto/gen/swarm/specs.ts';
import { CLUSTER_ID, controlBench, serviceSpec } from './fixture.ts';

const none = { workerJoinToken: false, managerJoinToken: false, managerUnlockKey: false };
const secretSpec = (name: string, data: string, labels: Record<string, string> = {}) =>
  SecretSpec.fromPartial({ annotations: { name, labels }, data: Buffer.from(data) });

test('one join token is rotated and the other kept', async () => {
  const { control, store } = await controlBench();
  const cluster = store.view((tx) => tx.get('cluster', CLUSTER_ID)) as Cluster;
  const version = cluster.meta?.version?.index ?? 0;
  const spec = cluster.spec as ClusterSpec;
  const rotated = await control.updateCluster(version, spec, { ...none, workerJoinToken: true });
  const before = cluster.rootCa?.joinTokens;
  const after = rotated.rootCa?.joinTokens;
  assert.equal(after?.manager, before?.manager);
  assert.notEqual(after?.worker, before?.worker);
  const digest = (token = '') => token.split('-')[2];
  assert.equal(digest(after?.worker), digest(before?.worker));
});

test('a cluster update needs the version and a sound spec', async () => {
  const { control } = await controlBench();
  const spec = ClusterSpec.fromPartial({ annotations: { name: 'default' } });
  await assert.rejects(control.updateCluster(77, spec, none), { code: 'SWM_OUT_OF_SEQUENCE' });
  await assert.rejects(control.updateCluster(77, ClusterSpec.fromPartial({}), none), {
    message: 'swarm spec must be named "default"',
  });
});

test('of a secret only the labels change', async () => {
  const { control } = await controlBench();
  const secret = await control.createSecret(secretSpec('key', 'hush'));
  const version = secret.meta?.version?.index ?? 0;
  const refusal = {
    code: 'SWM_INVALID_ARGUMENT',
    message: 'only updates to Labels are allowed',
  };
  await assert.rejects(
    control.updateSecret(secret.id, version, secretSpec('key', 'other')),
    refusal,
  );
  await assert.rejects(
    control.updateSecret(secret.id, version, secretSpec('other', 'hush')),
    refusal,
  );
  const labels = { team: 'a' };
  const updated = await control.updateSecret(secret.id, version, secretSpec('key', '', labels));
  assert.deepEqual(updated.spec?.annotations?.labels, labels);
  assert.equal(updated.spec?.data.toString(), 'hush');
});

test('a secret in use stays and names its users', async () => {
  const { control } = await controlBench();
  const secret = await control.createSecret(secretSpec('key', 'hush'));
  const secrets = [{ secretId: secret.id, secretName: 'key', file: { name: 'key' } }];
  const task = {
    runtime: { $case: 'container' as const, container: { image: 'busybox', secrets } },
  };
  const web = await control.createService(serviceSpec('web', { task }));
  const inUse = (message: string) => ({ code: 'SWM_INVALID_ARGUMENT', message });
  await assert.rejects(
    control.removeSecret(secret.id),
    inUse("secret 'key' is in use by the following service: web"),
  );
  const api = await control.createService(serviceSpec('api', { task }));
  await assert.rejects(
    control.removeSecret(secret.id),
    inUse("secret 'key' is in use by the following services: api, web"),
  );
  await control.removeService(web.id);
  await control.removeService(api.id);
  await control.removeSecret(secret.id);
});

test('names of secrets are taken once', async () => {
  const { control } = await controlBench();
  await control.createSecret(secretSpec('key', 'hush'));
  await assert.rejects(control.createSecret(secretSpec('key', 'hush')), {
    code: 'SWM_CONFLICT',
    message: /secret key already exists$/,
  });
});

test('configs live as secrets do', async () => {
  const { control } = await controlBench();
  const spec = ConfigSpec.fromPartial({ annotations: { name: 'conf' }, data: Buffer.from('x') });
  const config = await control.createConfig(spec);
  const version = config.meta?.version?.index ?? 0;
  const labels = { a: 'b' };
  const relabelled = { ...spec, annotations: { name: 'conf', labels, indices: [] } };
  const updated = await control.updateConfig(config.id, version, relabelled);
  assert.deepEqual(updated.spec?.annotations?.labels, labels);
  await control.removeConfig(config.id);
  await assert.rejects(control.removeConfig(config.id), {
    code: 'SWM_NOT_FOUND',
    message: `config ${config.id} not found`,
  });
});
