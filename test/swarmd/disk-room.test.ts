import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasRoom } from '../../swarmd/disk-room.ts';

test('a file system has room while neither space nor files run out', {
  skip: process.getuid?.() === 0 ? false : 'mounting a small file system takes root',
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'disk-room-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,nr_inodes=300', 'tmpfs', dir]);
  try {
    assert.equal(await hasRoom(dir), true);
    const ballast = join(dir, 'ballast');
    await writeFile(ballast, Buffer.alloc(7.9 * 1024 * 1024));
    assert.equal(await hasRoom(dir), false);
    await rm(ballast);
    assert.equal(await hasRoom(dir), true);
    await Promise.all(Array.from({ length: 250 }, (_, i) => writeFile(join(dir, `${i}`), '')));
    assert.equal(await hasRoom(dir), false);
  } finally {
    execFileSync('umount', [dir]);
    await rm(dir, { recursive: true });
  }
  assert.equal(await hasRoom(dir), true, 'nobody can tell');
});
