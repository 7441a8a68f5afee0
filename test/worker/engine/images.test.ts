import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ProgressMessage } from '../../../worker/engine/types.ts';
import { Lab, logText, skipReason } from './harness.ts';
import { RegistryServer, registryMissing } from './registry-server.ts';
import { busyboxTar, once } from './rootfs.ts';

const ALL_LOGS = { stdout: true, stderr: true, follow: false };
const skip = skipReason || ((await registryMissing()) && 'docker-registry is not installed');
const digestOf = (data: Buffer) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** Puts an image of two gzip layers behind a manifest list into a registry. */
async function publish(
  registry: RegistryServer,
  repository: string,
  init: { marker?: string; authorization?: string } = {},
) {
  const { marker = 'hello', authorization = '' } = init;
  const base = await busyboxTar();
  const top = await busyboxTar({ marker });
  const layers = [base, top].map((tar) => ({ tar, data: gzipSync(tar, { level: 1 }) }));
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Cmd: ['cat', '/marker'], Env: ['A=b'], Labels: { from: 'registry' } },
      rootfs: { type: 'layers', diff_ids: layers.map(({ tar }) => digestOf(tar)) },
      history: [{ created_by: 'test' }],
    }),
  );
  for (const data of [config, ...layers.map((layer) => layer.data)]) {
    await registry.putBlob(repository, data, digestOf(data), authorization);
  }
  const docker = 'application/vnd.docker.distribution.manifest';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${docker}.v2+json`,
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        digest: digestOf(config),
        size: config.length,
      },
      layers: layers.map(({ data }) => ({
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
        digest: digestOf(data),
        size: data.length,
      })),
    }),
  );
  await registry.putManifest(
    repository,
    digestOf(manifest),
    { mediaType: `${docker}.v2+json`, data: manifest },
    authorization,
  );
  const list = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${docker}.list.v2+json`,
      manifests: [
        {
          mediaType: `${docker}.v2+json`,
          digest: digestOf(manifest),
          size: manifest.length,
          platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch },
        },
      ],
    }),
  );
  await registry.putManifest(
    repository,
    'latest',
    { mediaType: `${docker}.list.v2+json`, data: list },
    authorization,
  );
  return { digest: digestOf(list), id: digestOf(config) };
}

describe('images', { skip }, () => {
  let lab: Lab;
  let registry: RegistryServer;
  before(async () => {
    registry = await RegistryServer.open();
    lab = await Lab.open();
  });
  after(async () => {
    await lab?.close();
    await registry?.close();
  });

  const run = async (image: string) => {
    const { engine } = lab;
    const { id } = await engine.create({ Image: image }, {});
    const exit = engine.wait(id, 'next-exit');
    await engine.startContainer(id);
    await exit;
    const text = await logText(engine.logs(id, ALL_LOGS));
    await engine.remove(id, { force: true, volumes: true });
    return text;
  };

  it('pulls from a registry, tells how it goes, and runs what it got', async () => {
    const { engine } = lab;
    const name = `${registry.host}/team/app`;
    const { digest, id } = await publish(registry, 'team/app');
    const messages: ProgressMessage[] = [];
    const pulls = await Promise.all(
      [1, 2, 3].map(() => engine.images.pull(name, { progress: (one) => messages.push(one) })),
    );
    assert.deepEqual(new Set(pulls.map((image) => image.id)), new Set([id]));
    const lines = messages.map(({ status }) => status);
    assert.equal(lines[0], 'Pulling from team/app');
    assert.equal(messages[0]!.id, 'latest');
    // Three callers, one download.
    assert.equal(lines.filter((line) => line === 'Pull complete').length, 6);
    assert.ok(lines.includes(`Digest: ${digest}`));
    assert.ok(lines.includes(`Status: Downloaded newer image for ${name}:latest`));

    const image = await engine.images.inspect(name);
    assert.deepEqual(image.repoTags, [`${name}:latest`]);
    assert.deepEqual(image.repoDigests, [`${name}@${digest}`]);
    assert.deepEqual(image.config.Cmd, ['cat', '/marker']);
    assert.equal((await engine.images.inspect(`${name}@${digest}`)).id, id);
    assert.equal((await engine.images.inspect(id.slice(7, 19))).id, id);
    assert.equal(await run(name), 'hello');

    messages.length = 0;
    await engine.images.pull(name, { progress: (one) => messages.push(one) });
    assert.equal(messages.at(-1)!.status, `Status: Image is up to date for ${name}:latest`);
    await engine.images.remove(name, { force: false, noprune: false });
    await assert.rejects(engine.images.inspect(name), /No such image/);
  });

  it('pulls by digest, as services do', async () => {
    const { engine } = lab;
    const name = `${registry.host}/team/pinned`;
    const { digest } = await publish(registry, 'team/pinned', { marker: 'pinned' });
    const image = await engine.images.pull(`${name}:latest@${digest}`, {});
    assert.deepEqual(image.repoTags, []);
    assert.deepEqual(image.repoDigests, [`${name}@${digest}`]);
    assert.equal(await run(`${name}:latest@${digest}`), 'pinned');
    const found = await engine.images.distribution(name);
    assert.equal(found.digest, digest);
    assert.equal(found.platforms[0]!.os, 'linux');
  });

  it('goes on with a download where it broke off', async () => {
    const { engine } = lab;
    await publish(registry, 'team/broken', { marker: randomBytes(4).toString('hex') });
    const ranges: string[] = [];
    let broken = false;
    const proxy = createServer(async (request, response) => {
      const { accept = '', range } = request.headers;
      if (range) ranges.push(range);
      const upstream = await fetch(`http://${registry.host}${request.url}`, {
        headers: { accept, ...(range ? { range } : {}) },
      });
      const body = Buffer.from(await upstream.arrayBuffer());
      const type = upstream.headers.get('content-type') ?? '';
      response.writeHead(upstream.status, { 'content-type': type, 'content-length': body.length });
      if (broken || body.length < 500_000) return response.end(body);
      broken = true;
      response.write(body.subarray(0, 300_000), () => response.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    try {
      const name = `127.0.0.1:${port}/team/broken`;
      const messages: ProgressMessage[] = [];
      await engine.images.pull(name, { progress: (message) => messages.push(message) });
      assert.ok(messages.some(({ status }) => status === 'Retrying in 1 seconds'));
      assert.match(ranges[0] ?? '', /^bytes=[1-9]\d*-$/);
      assert.equal((await run(name)).length, 8);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it('shows its credentials to a private registry', async () => {
    const { engine } = lab;
    const closed = await RegistryServer.open({
      // "secret", as htpasswd -B writes it.
      htpasswd: 'me:$2b$04$yKGQJJHYCOMEoEidKxN0Nej8i20p9Q4ZhmFgZME1HleAGmFG91R7O',
    });
    try {
      const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
      await publish(closed, 'team/private', { authorization });
      const name = `${closed.host}/team/private`;
      await assert.rejects(engine.images.pull(name, {}), /no basic auth credentials/);
      await assert.rejects(
        engine.images.pull(name, { auth: { username: 'me', password: 'wrong' } }),
        /pull access denied for/,
      );
      await engine.images.pull(name, { auth: { username: 'me', password: 'secret' } });
      assert.equal(await run(name), 'hello');
    } finally {
      await closed.close();
    }
  });

  it('says what is wrong when there is nothing to pull', async () => {
    const { engine } = lab;
    await publish(registry, 'team/app');
    const { host } = registry;
    await assert.rejects(engine.images.pull(`${host}/team/app:nope`, {}), {
      code: 'SWM_NOT_FOUND',
      message: /manifest for .*team\/app:nope not found: manifest unknown/,
    });
    await assert.rejects(engine.images.pull(`${host}/nobody/nothing`, {}), {
      code: 'SWM_NOT_FOUND',
      message: /manifest unknown|pull access denied for/,
    });
    await assert.rejects(engine.images.pull('127.0.0.1:2/gone', {}), {
      code: 'SWM_UNAVAILABLE',
      message: /Get "http:\/\/127\.0\.0\.1:2\/v2\/": .*ECONNREFUSED/,
    });
    await assert.rejects(lab.engine.images.pull('Not/Valid', {}), /invalid reference format/);
    await assert.rejects(engine.create({ Image: 'nothere' }, {}), {
      code: 'SWM_NOT_FOUND',
      message: 'No such image: nothere:latest',
    });
  });

  it('saves and loads without loss', async () => {
    const { engine } = lab;
    await engine.images.tag('busybox', 'renamed/box', 'v1');
    const before = await engine.images.inspect('busybox');
    const chunks: Buffer[] = [];
    for await (const chunk of engine.images.save(['busybox', 'renamed/box:v1'])) chunks.push(chunk);
    for (const name of ['busybox', 'renamed/box:v1']) {
      await engine.images.remove(name, { force: false, noprune: false });
    }
    await assert.rejects(engine.images.inspect(before.id), /No such image/);
    const archive = gzipSync(Buffer.concat(chunks), { level: 1 });
    const loaded = await engine.images.load(once(archive));
    assert.deepEqual(loaded.sort(), ['busybox:latest', 'renamed/box:v1']);
    const image = await engine.images.inspect('renamed/box:v1');
    assert.equal(image.id, before.id);
    assert.deepEqual([...image.repoTags].sort(), ['busybox:latest', 'renamed/box:v1']);
    await engine.images.remove('renamed/box:v1', { force: false, noprune: false });
  });

  it('keeps an image that a container uses', async () => {
    const { engine } = lab;
    const { id } = await engine.create({ Image: 'busybox' }, {});
    await assert.rejects(engine.images.remove('busybox', { force: false, noprune: false }), {
      code: 'SWM_CONFLICT',
      message: new RegExp(
        `conflict: unable to remove repository reference "busybox" \\(must force\\) - container ${id.slice(0, 12)} is using its referenced image`,
      ),
    });
    await engine.remove(id, { force: false, volumes: false });
  });

  it('prunes images that have lost their names', async () => {
    const { engine } = lab;
    const name = `${registry.host}/team/moving`;
    const old = await publish(registry, 'team/moving', { marker: randomBytes(4).toString('hex') });
    await engine.images.pull(name, {});
    await publish(registry, 'team/moving', { marker: randomBytes(4).toString('hex') });
    await engine.images.pull(name, {});
    const dangling = await engine.images.inspect(old.id);
    assert.deepEqual(dangling.repoTags, []);
    const { deleted } = await engine.images.prune(true);
    assert.ok(deleted.some(({ Deleted }) => Deleted === old.id));
    assert.equal(await run(name).then((text) => text.length), 8);
  });
});
