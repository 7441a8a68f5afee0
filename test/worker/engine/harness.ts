import { mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { systemClock } from '../../../common/clock.ts';
import { createLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import type { NetDriverApi } from '../../../netdriver/index.ts';
import { Engine } from '../../../worker/engine/index.ts';
import type { EngineEvent, LogLine } from '../../../worker/engine/types.ts';
import { DEADLINE_MS } from '../../support/eventually.ts';
import { FakeNetDriver } from './fake-netdriver.ts';
import { busyboxTar, once } from './rootfs.ts';

/** Why these tests cannot run here, or false. */
export const skipReason =
  process.platform !== 'linux' || process.getuid?.() !== 0 ? 'needs root on Linux' : false;

/** An engine with a containerd of its own in a temporary directory. */
export class Lab {
  readonly netdriver = new FakeNetDriver();
  readonly events: EngineEvent[] = [];
  readonly dir: string;
  engine: Engine;

  private constructor(dir: string) {
    this.dir = dir;
    this.engine = this.newEngine();
  }

  static async open(): Promise<Lab> {
    const lab = new Lab(await mkdtemp(join(tmpdir(), 'swarm-engine-')));
    try {
      await lab.engine.start();
      await lab.engine.images.import(once(await busyboxTar()), {
        repo: 'busybox',
        changes: ['CMD ["sh"]', 'ENV FROM_IMAGE=yes'],
      });
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  newEngine(): Engine {
    const engine = new Engine(
      {
        netdriver: this.netdriver as unknown as NetDriverApi,
        clock: systemClock,
        random: systemRandom,
        logger: createLogger(process.env['SWARM_TEST_LOG'] ?? 'silent'),
      },
      {
        stateDir: join(this.dir, 'state'),
        runDir: join(this.dir, 'run'),
        cgroupParent: this.#cgroup,
      },
    );
    engine.onEvent((event) => this.events.push(event));
    return engine;
  }

  /** The daemon goes, and another takes over; containers run on. */
  async restartEngine(): Promise<void> {
    await this.engine.stop();
    this.engine = this.newEngine();
    await this.engine.start();
  }

  async close(): Promise<void> {
    for (const { id } of this.engine.list()) {
      await this.engine.remove(id, { force: true, volumes: true }).catch(() => {});
    }
    await this.engine.stop().catch(() => {});
    await this.engine.runtime.terminate();
    await rm(this.dir, { recursive: true, force: true });
    await removeGroups(this.#cgroup);
  }

  /** Where its containers are, in every hierarchy of control groups. */
  get #cgroup(): string {
    return `/${basename(this.dir)}`;
  }
}

/** The containers' own groups are gone; a kernel that is still busy with them has the parent wait. */
async function removeGroups(path: string): Promise<void> {
  const root = '/sys/fs/cgroup';
  for (const hierarchy of ['', ...(await readdir(root))]) {
    const group = join(root, hierarchy, path);
    await eventually(() => rmdir(group).then(() => true, isMissing));
  }
}

function isMissing(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ENOENT' || error.code === 'ENOTDIR';
}

export async function logText(lines: AsyncIterable<LogLine>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const line of lines) chunks.push(line.data);
  return Buffer.concat(chunks).toString();
}

/** All that a stream gives until it ends, with the frames of a multiplexed one taken off. */
export async function demultiplexed(stream: Duplex): Promise<{ stdout: string; stderr: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const whole = Buffer.concat(chunks);
  const out = { stdout: '', stderr: '' };
  for (let at = 0; at < whole.length; ) {
    const size = whole.readUInt32BE(at + 4);
    const name = whole[at] === 2 ? 'stderr' : 'stdout';
    out[name] += whole.subarray(at + 8, at + 8 + size).toString();
    at += 8 + size;
  }
  return out;
}

export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`did not become true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
