import { readFileSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MountFlag, mount, unmount } from '../runtime/libc.ts';
import type { InjectedPath } from './record.ts';
import type { InjectedFile } from './types.ts';

/**
 * Files that containers get from memory. Secrets are kept on one tmpfs for all containers, each with
 * a directory of its own there; configs beside the container's other files on the disk. Both are
 * mounted into the container one by one, read-only.
 */
export class InjectedFiles {
  readonly #secretsDir: string;
  readonly #containersDir: string;

  constructor(init: { secretsDir: string; containersDir: string }) {
    this.#secretsDir = init.secretsDir;
    this.#containersDir = init.containersDir;
  }

  async write(containerId: string, files: readonly InjectedFile[]): Promise<InjectedPath[]> {
    if (files.some(({ secret }) => secret)) await this.#mountSecrets();
    return Promise.all(
      files.map(async (file, index) => {
        const base = file.secret ? this.#secretsDir : join(this.#containersDir, containerId);
        const dir = file.secret ? join(base, containerId) : join(base, 'configs');
        await mkdir(dir, { recursive: true, mode: 0o700 });
        const source = join(dir, String(index));
        // The mode is set apart from creation, where the umask would cut it.
        await writeFile(source, file.data, { mode: 0o600 });
        await setOwner(source, file);
        return { source, target: file.path };
      }),
    );
  }

  async remove(containerId: string): Promise<void> {
    await rm(join(this.#secretsDir, containerId), { recursive: true, force: true });
  }

  /** Unmounts the tmpfs when no container has secrets any more. */
  async release(): Promise<void> {
    if (!this.#isMounted()) return;
    if ((await readdir(this.#secretsDir)).length > 0) return;
    unmount(this.#secretsDir);
    await rmdir(this.#secretsDir).catch(() => {});
  }

  async #mountSecrets(): Promise<void> {
    await mkdir(this.#secretsDir, { recursive: true, mode: 0o700 });
    // No wait between the check and the mount, so that it is mounted once.
    if (this.#isMounted()) return;
    const flags = MountFlag.noSuid | MountFlag.noDev | MountFlag.noExec;
    mount('tmpfs', this.#secretsDir, 'tmpfs', flags, 'mode=0700');
  }

  #isMounted(): boolean {
    const mounts = readFileSync('/proc/self/mounts', 'utf8');
    return mounts.includes(` ${this.#secretsDir} tmpfs `);
  }
}

async function setOwner(path: string, file: InjectedFile): Promise<void> {
  await chown(path, file.uid, file.gid);
  await chmod(path, file.mode);
}
