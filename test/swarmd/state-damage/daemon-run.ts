import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Api } from '../../bench/support/api.ts';
import { REGISTRY } from '../../e2e/lab.ts';

const REPO = fileURLToPath(new URL('../../..', import.meta.url));
const TICKS_PER_SECOND = 100;

/** What a daemon does that is started in a host of the lab, as `cluster.sh` starts it. */
export class DaemonRun {
  readonly #child: ChildProcess;
  readonly #api: Api;
  #output = '';
  /** Undefined while it runs. */
  exitCode: number | undefined;

  constructor(init: { hostDir: string; lab: string; host: string }) {
    const { hostDir, lab, host } = init;
    const pid = readFileSync(join(hostDir, 'init'), 'utf8').trim();
    const enter = ['--target', pid, '--net', '--mount', '--uts', '--pid'];
    const state = ['--state-dir', '/var/lib/swarm', '--run-dir', '/run/swarm'];
    const rest = ['--cgroup-parent', `/${lab}-lab/${host}`, '--insecure-registry', REGISTRY];
    const program = [process.execPath, join(REPO, 'dist/swarmd/main.js'), ...state, ...rest];
    this.#api = new Api(join(hostDir, 'run/swarm/swarmd.sock'));
    this.#child = spawn('nsenter', [...enter, ...program], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.#output += data.toString();
      });
    }
    this.#child.once('exit', (code) => {
      this.exitCode = code ?? -1;
    });
  }

  /** What it printed and logged so far. */
  get output(): string {
    return this.#output;
  }

  /** Seconds of processor time so far. */
  get cpuSeconds(): number {
    const pid = this.#pid();
    if (pid === undefined) return 0;
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** The body of an answer of its API; undefined when there is none, or it is an error. */
  async get<T>(path: string): Promise<T | undefined> {
    const answer = await this.#api.send('GET', path, { timeoutMs: 3_000 }).catch(() => undefined);
    return answer?.status === 200 ? (answer.body as T) : undefined;
  }

  /** As `kill -9`; its containers and its containerd go on. */
  async kill(): Promise<void> {
    const pid = this.#pid();
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    else this.#child.kill('SIGKILL');
    while (this.exitCode === undefined) await pause(20);
    // What it started holds the pipes.
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** Of the daemon itself: nsenter has it for a child. */
  #pid(): number | undefined {
    const { pid } = this.#child;
    if (pid === undefined || this.exitCode !== undefined) return undefined;
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      return children === '' ? undefined : Number(children.split(' ')[0]);
    } catch {
      return undefined;
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
