import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { extract, type Header, pack } from 'tar-stream';
import { demultiplexed, Lab, skipReason } from './harness.ts';

type Entries = Record<string, { header: Header; text: string }>;

async function unpacked(tar: AsyncIterable<Buffer>): Promise<Entries> {
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk);
  const entries = extract();
  entries.end(Buffer.concat(chunks));
  const found: Entries = {};
  for await (const entry of entries) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    found[entry.header.name] = { header: entry.header, text: Buffer.concat(parts).toString() };
  }
  return found;
}

function packed(
  entries: (Partial<Header> & { name: string; text?: string })[],
): AsyncIterable<Buffer> {
  const tar = pack();
  for (const { text = '', ...header } of entries) tar.entry(header, text);
  tar.finalize();
  return tar as unknown as AsyncIterable<Buffer>;
}

describe('files in and out of containers', { skip: skipReason }, () => {
  let lab: Lab;
  let secret: string;
  before(async () => {
    lab = await Lab.open();
    secret = await mkdtemp(join(tmpdir(), 'swarm-outside-'));
    await writeFile(join(secret, 'host.txt'), 'of the host');
  });
  after(async () => {
    await lab?.close();
    await rm(secret, { recursive: true, force: true });
  });

  const sh = async (id: string, command: string) => {
    const execId = await lab.engine.execCreate(id, {
      Cmd: ['sh', '-c', command],
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = (await lab.engine.execStart(execId, { detach: false }))!;
    return demultiplexed(stream);
  };

  for (const running of [true, false]) {
    it(`copies both ways with a container that ${running ? 'runs' : 'does not run'}`, async () => {
      const { engine } = lab;
      const { id } = await engine.create(
        {
          Image: 'busybox',
          Cmd: ['sleep', '600'],
          HostConfig: { Mounts: [{ Type: 'volume', Source: 'shared', Target: '/data' }] },
        },
        {},
      );
      if (running) await engine.startContainer(id);
      const mtime = new Date('2024-05-06T07:08:09Z');
      await engine.archivePut(
        id,
        '/tmp',
        packed([
          { name: 'dir/', type: 'directory', mode: 0o750, uid: 5, gid: 6, mtime },
          { name: 'dir/file', mode: 0o4711, uid: 7, gid: 8, mtime, text: 'content' },
          { name: 'dir/again', type: 'link', linkname: 'dir/file' },
          { name: 'dir/link', type: 'symlink', linkname: 'file' },
          { name: '../../escape', text: 'stays below /tmp' },
        ]),
        { noOverwriteDirNonDir: true },
      );
      const tree = await unpacked(await engine.archiveGet(id, '/tmp/dir'));
      assert.deepEqual(Object.keys(tree).sort(), ['dir/', 'dir/again', 'dir/file', 'dir/link']);
      assert.equal(tree['dir/']!.header.mode, 0o750);
      assert.deepEqual(tree['dir/']!.header.mtime, mtime);
      const file = tree['dir/again']!.header;
      assert.deepEqual([file.mode, file.uid, file.gid], [0o4711, 7, 8]);
      assert.equal(tree['dir/again']!.text, 'content');
      assert.equal(tree['dir/file']!.header.type, 'link');
      assert.equal(tree['dir/link']!.header.linkname, 'file');
      const stat = await engine.archiveStat(id, '/tmp/escape');
      assert.deepEqual([stat.name, stat.size], ['escape', 16]);
      assert.equal((await engine.archiveStat(id, '/tmp/dir')).mode >= 2 ** 31, true);
      const link = await engine.archiveStat(id, '/tmp/dir/link');
      assert.equal(link.linkTarget, '/tmp/dir/file');

      // The volume holds what the image has there.
      const seed = await unpacked(await engine.archiveGet(id, '/data/seed.txt'));
      assert.equal(seed['seed.txt']!.text, 'from the image\n');
      await engine.remove(id, { force: true, volumes: false });
    });
  }

  it('never leaves the container, whatever its links say', async () => {
    const { engine } = lab;
    const { id } = await engine.create({ Image: 'busybox', Cmd: ['sleep', '600'] }, {});
    await engine.startContainer(id);
    await sh(id, `/bin/busybox ln -s ${secret} /out; /bin/busybox ln -s ../../../..${secret} /up`);
    for (const path of ['/out/host.txt', '/up/host.txt']) {
      await assert.rejects(engine.archiveGet(id, path), {
        code: 'SWM_NOT_FOUND',
        message: new RegExp(`Could not find the file ${path} in container`),
      });
    }
    await assert.rejects(
      engine.archivePut(id, '/out', packed([{ name: 'host.txt', text: 'changed' }]), {
        noOverwriteDirNonDir: false,
      }),
      { code: 'SWM_NOT_FOUND' },
    );
    await engine.archivePut(id, '/', packed([{ name: 'bin/echo', text: 'replaces a link' }]), {
      noOverwriteDirNonDir: false,
    });
    assert.equal((await sh(id, 'cat /bin/echo')).stdout, 'replaces a link');
    assert.equal(await readFile(join(secret, 'host.txt'), 'utf8'), 'of the host');
    await engine.remove(id, { force: true, volumes: true });
  });

  it('exports the whole file system, and tells what has changed in it', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['sleep', '600'], Volumes: { '/vol': {} } },
      {},
    );
    await engine.startContainer(id);
    await sh(
      id,
      'echo new > /tmp/new; echo x >> /etc/group; /bin/busybox rm /data/seed.txt; echo v > /vol/v',
    );
    for (const running of [true, false]) {
      if (!running) await engine.stopContainer(id, { timeout: 0 });
      assert.deepEqual(await engine.changes(id), [
        { Path: '/data', Kind: 0 },
        { Path: '/data/seed.txt', Kind: 2 },
        { Path: '/etc', Kind: 0 },
        { Path: '/etc/group', Kind: 0 },
        { Path: '/tmp', Kind: 0 },
        { Path: '/tmp/new', Kind: 1 },
      ]);
      const whole = await unpacked(engine.export(id));
      assert.equal(whole['tmp/new']!.text, 'new\n');
      assert.ok(whole['bin/busybox']!.text.length > 100_000);
      assert.equal(whole['data/seed.txt'], undefined);
      assert.equal(whole['vol/v'], undefined);
    }
    await engine.remove(id, { force: true, volumes: true });
  });

  it('refuses what Docker refuses', async () => {
    const { engine } = lab;
    const { id } = await engine.create({ Image: 'busybox' }, {});
    const options = { noOverwriteDirNonDir: true };
    await assert.rejects(engine.archivePut(id, '/etc/passwd', packed([]), options), {
      message: 'extraction point is not a directory',
    });
    await assert.rejects(engine.archivePut(id, '/', packed([{ name: 'etc' }]), options), {
      message: 'cannot overwrite directory "etc" with non-directory',
    });
    await engine.remove(id, { force: true, volumes: true });
  });
});
