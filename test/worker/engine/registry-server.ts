import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.ts';
import { freeAddr } from '../../support/loopback.ts';

const BINARY = '/usr/bin/docker-registry';

export const registryMissing = (): Promise<boolean> =>
  access(BINARY).then(
    () => false,
    () => true,
  );

/** docker-registry on a loopback port, with its data in a temporary directory. */
export class RegistryServer {
  readonly host: string;
  readonly #child: ChildProcess;
  readonly #dir: string;

  private constructor(host: string, child: ChildProcess, dir: string) {
    this.host = host;
    this.#child = child;
    this.#dir = dir;
  }

  /** `htpasswd` is a line with a bcrypt hash; without it everybody may read and write. */
  static async open(init: { htpasswd?: string } = {}): Promise<RegistryServer> {
    const dir = await mkdtemp(join(tmpdir(), 'swarm-registry-'));
    const host = await freeAddr();
    const auth = init.htpasswd
      ? `auth:\n  htpasswd:\n    realm: test\n    path: ${join(dir, 'htpasswd')}\n`
      : '';
    if (init.htpasswd) await writeFile(join(dir, 'htpasswd'), `${init.htpasswd}\n`);
    const config = join(dir, 'config.yml');
    await writeFile(
      config,
      `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${dir}/data\nhttp:\n  addr: ${host}\n${auth}`,
    );
    const child = spawn(BINARY, ['serve', config], { stdio: 'ignore' });
    const server = new RegistryServer(host, child, dir);
    await eventually(async () => assert.ok(await answers(host), 'docker-registry does not answer'));
    return server;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    await rm(this.#dir, { recursive: true, force: true });
  }

  async putBlob(
    repository: string,
    data: Buffer,
    digest: string,
    authorization = '',
  ): Promise<void> {
    const headers = authorization ? { authorization } : undefined;
    const base = `http://${this.host}`;
    const begin = await fetch(`${base}/v2/${repository}/blobs/uploads/`, {
      method: 'POST',
      ...(headers ? { headers } : {}),
    });
    const url = new URL(begin.headers.get('location')!, base);
    url.searchParams.set('digest', digest);
    const body = new Uint8Array(data);
    const put = await fetch(url, { method: 'PUT', body, ...(headers ? { headers } : {}) });
    if (!put.ok) throw new Error(`blob: ${put.status} ${await put.text()}`);
  }

  async putManifest(
    repository: string,
    tag: string,
    manifest: { mediaType: string; data: Buffer },
    authorization = '',
  ): Promise<void> {
    const put = await fetch(`http://${this.host}/v2/${repository}/manifests/${tag}`, {
      method: 'PUT',
      body: new Uint8Array(manifest.data),
      headers: {
        'content-type': manifest.mediaType,
        ...(authorization ? { authorization } : {}),
      },
    });
    if (!put.ok) throw new Error(`manifest: ${put.status} ${await put.text()}`);
  }
}

async function answers(host: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${host}/v2/`);
    return response.status === 200 || response.status === 401;
  } catch {
    return false;
  }
}
