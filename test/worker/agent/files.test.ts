import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Config, Secret } from '../../../proto/gen/swarm/objects.ts';
import { ContainerSpec } from '../../../proto/gen/swarm/specs.ts';
import { injectedFiles } from '../../../worker/agent/container/files.ts';

const scope = { data: { Service: { Name: 'web' } } };

function dependencies(complete = true) {
  const secret = Secret.fromPartial({ id: 's1', spec: { data: Buffer.from('hunter2') } });
  const plain = Config.fromPartial({ id: 'c1', spec: { data: Buffer.from('{{.not expanded') } });
  const template = Config.fromPartial({
    id: 'c2',
    spec: {
      data: Buffer.from(
        '{{.Service.Name}}:{{secret "password"}}:{{config "plain"}}:{{env "X"}}:{{env "Y"}}',
      ),
      templating: { name: 'golang' },
    },
  });
  return {
    secrets: new Map([['s1', secret]]),
    configs: new Map([
      ['c1', plain],
      ['c2', template],
    ]),
    complete,
  };
}

const spec = ContainerSpec.fromPartial({
  env: ['X=1'],
  secrets: [
    {
      secretId: 's1',
      secretName: 'pw',
      file: { name: 'password', uid: '5', gid: '6', mode: 0o400 },
    },
  ],
  configs: [
    { configId: 'c1', configName: 'plain' },
    { configId: 'c2', configName: 't', target: { $case: 'file', file: { name: '/etc/app.conf' } } },
    { configId: 'c1', configName: 'plain', target: { $case: 'runtime', runtime: {} } },
  ],
});

test('secrets go below /run/secrets, configs to their path, templates are expanded', () => {
  const files = injectedFiles(spec, dependencies(), scope);
  assert.deepEqual(
    files.map(({ data, ...rest }) => ({ ...rest, data: Buffer.from(data).toString() })),
    [
      { path: '/run/secrets/password', uid: 5, gid: 6, mode: 0o400, secret: true, data: 'hunter2' },
      { path: '/plain', uid: 0, gid: 0, mode: 0o444, secret: false, data: '{{.not expanded' },
      {
        path: '/etc/app.conf',
        uid: 0,
        gid: 0,
        mode: 0o444,
        secret: true,
        data: 'web:hunter2:{{.not expanded:1:',
      },
    ],
  );
});

test('what has not come yet is waited for, what did not come at all is an error', () => {
  const wanting = ContainerSpec.fromPartial({ secrets: [{ secretId: 'x', secretName: 'pw' }] });
  assert.throws(() => injectedFiles(wanting, dependencies(false), scope), {
    name: 'TemporaryError',
  });
  assert.throws(() => injectedFiles(wanting, dependencies(), scope), { code: 'SWM_NOT_FOUND' });
});
