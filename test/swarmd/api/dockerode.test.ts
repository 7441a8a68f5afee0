import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import Docker from 'dockerode';
import { serve, textOf } from './served.ts';

// The library that our own command line and most dashboards use.

test('dockerode: objects, errors, and versions', async (t) => {
  const served = await serve(t);
  const docker = new Docker({ socketPath: served.socketPath, version: 'v1.45' });
  const { id } = await docker.createService({
    Name: 'web',
    TaskTemplate: { ContainerSpec: { Image: 'nginx' } },
  } as Docker.CreateServiceOptions);
  const [listed] = await docker.listServices({ filters: { name: ['web'] } });
  assert.equal(listed?.ID, id);
  await assert.rejects(docker.getService('nope').inspect(), {
    statusCode: 404,
    reason: 'no such service',
  });
  const info = (await docker.info()) as { Swarm: { ControlAvailable: boolean } };
  assert.equal(info.Swarm.ControlAvailable, true);
});

test('dockerode: exec with input over an upgraded connection', async (t) => {
  const served = await serve(t);
  const docker = new Docker({ socketPath: served.socketPath });
  const container = await docker.createContainer({ Image: 'alpine', Cmd: ['sleep'] });
  const exec = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(stream, 'end');
  stream.end('over and out');
  await ended;
  assert.equal(Buffer.concat(chunks).subarray(8).toString(), 'over and out');
});

test('bodies larger than a megabyte', async (t) => {
  const served = await serve(t);
  const docker = new Docker({ socketPath: served.socketPath });
  const loaded = await docker.loadImage(Readable.from([Buffer.alloc(5 << 20)]));
  const text = await textOf(loaded as never);
  assert.match(text, /loaded:5242880/);
  const Data = Buffer.alloc(1_000 * 1_023, 'x').toString('base64');
  const config = await docker.createConfig({ Name: 'big', Data, Labels: {} });
  assert.ok(config);
  const name = 'x'.repeat(100_000);
  assert.deepEqual(await docker.listConfigs({ filters: { name: [name] } }), []);
});
