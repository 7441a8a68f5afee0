import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';

const BUSYBOX = '/bin/busybox';

/** An OCI image with one layer, ready to be pushed or packed. */
export interface BuiltImage {
  readonly layer: Buffer; // tar.gz
  readonly diffId: string; // sha256:<hex> of the tar
  readonly config: Buffer; // JSON
}

export interface ImageRecipe {
  /** Path in the image to its text; names ending in `.cgi` and `.sh` are executable. */
  readonly files?: Readonly<Record<string, string>>;
  readonly cmd: readonly string[];
  readonly env?: readonly string[];
  readonly exposedPorts?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A small Linux made of this machine's static busybox, with the recipe's files on top. */
export async function buildBusyboxImage(recipe: ImageRecipe): Promise<BuiltImage> {
  const tar = await rootFilesystem(recipe.files ?? {});
  const diffId = digestOf(tar);
  return { layer: gzipSync(tar), diffId, config: imageConfig(recipe, diffId) };
}

export function digestOf(data: Buffer): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

async function rootFilesystem(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const dir of [
    'bin',
    'dev',
    'etc',
    'home',
    'proc',
    'root',
    'sys',
    'tmp',
    'usr',
    'var',
    'www',
    'www/cgi-bin',
  ]) {
    tar.entry({ name: `${dir}/`, type: 'directory', mode: dir === 'tmp' ? 0o1777 : 0o755 });
  }
  const binary = await readFile(BUSYBOX);
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, binary);
  for (const applet of await applets()) {
    tar.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  }
  const text: Record<string, string> = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
    ...files,
  };
  for (const [name, content] of Object.entries(text)) {
    tar.entry({ name, mode: /\.(cgi|sh)$/.test(name) ? 0o755 : 0o644 }, content);
  }
  return collect(tar);
}

async function applets(): Promise<string[]> {
  const { stdout } = await promisify(execFile)(BUSYBOX, ['--list']);
  return stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
}

async function collect(tar: Pack): Promise<Buffer> {
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function imageConfig(recipe: ImageRecipe, diffId: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: {
        Cmd: recipe.cmd,
        Env: [
          'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          ...(recipe.env ?? []),
        ],
        Labels: recipe.labels ?? {},
        ...(recipe.exposedPorts
          ? { ExposedPorts: Object.fromEntries(recipe.exposedPorts.map((port) => [port, {}])) }
          : {}),
      },
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created: '2026-01-01T00:00:00Z', created_by: 'busybox-static' }],
    }),
  );
}
