import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
// Not the clock's `sleep`: its timers are unreferenced, and Node would exit while only this waits.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../../common/clock.ts';
import { SwarmError } from '../../../common/errors.ts';
import type { Logger } from '../../../common/logger.ts';
import { socketAnswers } from '../../../common/socket-answers.ts';
import { type ContainerdPaths, containerdConfig, containerdPaths } from './config.ts';

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

export interface PrivateContainerdComponents {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * A containerd of our own. It is started detached and never stopped with us, so that containers
 * outlive the daemon; the next start finds it by its pid file and socket and goes on with it.
 */
export class PrivateContainerd {
  readonly paths: ContainerdPaths;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #binary: string;

  constructor(
    components: PrivateContainerdComponents,
    init: { stateDir: string; runDir: string; binary?: string },
  ) {
    this.#clock = components.clock;
    this.#logger = components.logger;
    this.#binary = init.binary ?? 'containerd';
    this.paths = containerdPaths(init.stateDir, init.runDir);
  }

  /** Resolves when it answers on its socket; returns at once when it does already. */
  async ensure(): Promise<void> {
    if (await socketAnswers(this.paths.socket)) return;
    const pid = await this.#runningPid();
    if (pid === undefined) await this.#spawn();
    await this.#untilItAnswers();
  }

  /** Ends it, and with it the adoption of its containers: for tearing a host down. */
  async terminate(): Promise<void> {
    const pid = await this.#runningPid();
    if (pid === undefined) return;
    process.kill(pid, 'SIGTERM');
    const deadline = this.#clock.monotonic() + STOP_TIMEOUT_MS;
    while ((await this.#runningPid()) !== undefined) {
      if (this.#clock.monotonic() > deadline) process.kill(pid, 'SIGKILL');
      await sleep(POLL_MS);
    }
    await rm(this.paths.pidFile, { force: true });
  }

  async #spawn(): Promise<void> {
    const { paths } = this;
    await mkdir(paths.root, { recursive: true, mode: 0o711 });
    await mkdir(paths.state, { recursive: true, mode: 0o711 });
    await writeFile(paths.configFile, containerdConfig(paths));
    const log = openSync(paths.logFile, 'a');
    try {
      const child = spawn(this.#binary, ['--config', paths.configFile], {
        detached: true,
        stdio: ['ignore', log, log],
        cwd: '/',
      });
      const failure = new Promise<never>((_, reject) => {
        child.once('error', (cause) => reject(cannotStart(this.#binary, cause)));
      });
      const spawned = new Promise<void>((resolve) => child.once('spawn', resolve));
      await Promise.race([failure, spawned]);
      child.unref();
      await writeFile(paths.pidFile, `${child.pid}\n`);
      this.#logger.info({ pid: child.pid, socket: paths.socket }, 'started containerd');
    } finally {
      closeSync(log);
    }
  }

  async #untilItAnswers(): Promise<void> {
    const deadline = this.#clock.monotonic() + START_TIMEOUT_MS;
    while (!(await socketAnswers(this.paths.socket))) {
      const dead = (await this.#runningPid()) === undefined;
      if (dead || this.#clock.monotonic() > deadline) {
        const log = await tailOf(this.paths.logFile);
        throw new SwarmError(
          'SWM_UNAVAILABLE',
          `containerd ${dead ? 'ended at once' : 'does not answer'}: ${log}`,
          { hint: `Its log is ${this.paths.logFile}.` },
        );
      }
      await sleep(POLL_MS);
    }
  }

  async #runningPid(): Promise<number | undefined> {
    const text = await readFile(this.paths.pidFile, 'utf8').catch(() => '');
    const pid = Number.parseInt(text, 10);
    if (!(pid > 0) || !isAlive(pid)) return undefined;
    // The number may have been given to another program since.
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return command.includes(this.paths.configFile) ? pid : undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function tailOf(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-3).join(' | ') || 'it left no log';
}

function cannotStart(binary: string, cause: Error): SwarmError {
  return new SwarmError('SWM_UNAVAILABLE', `Could not start ${binary}: ${cause.message}`, {
    hint: 'Install containerd and runc, or name the socket of a running containerd.',
    cause,
  });
}
