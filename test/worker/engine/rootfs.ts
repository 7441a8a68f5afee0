import { readFile } from 'node:fs/promises';
import { pack } from 'tar-stream';

const LINKS = ['sh', 'cat', 'echo', 'sleep', 'ls', 'id', 'env', 'seq', 'kill', 'true', 'false'];
const MORE = [
  'head',
  'ps',
  'stat',
  'mount',
  'hostname',
  'stty',
  'dd',
  'yes',
  'touch',
  'test',
  'wc',
];

/** The tar of a small root file system with busybox in it. */
export async function busyboxTar(extra: Record<string, string> = {}): Promise<Buffer> {
  const tar = pack();
  const dirs = ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'data', 'home'];
  for (const name of dirs) tar.entry({ name: `${name}/`, type: 'directory', mode: 0o755 });
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile('/bin/busybox'));
  for (const name of [...LINKS, ...MORE]) {
    tar.entry({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox' });
  }
  tar.entry(
    { name: 'etc/passwd' },
    'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home:/bin/sh\n',
  );
  tar.entry({ name: 'etc/group' }, 'root:x:0:\napp:x:1001:\nwheel:x:10:root,app\n');
  tar.entry({ name: 'data/seed.txt' }, 'from the image\n');
  for (const [name, text] of Object.entries(extra)) tar.entry({ name }, text);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}
