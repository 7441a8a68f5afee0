import { execFileSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LAB_NAME, type Lab } from '../../e2e/lab.ts';
import { DaemonRun, pause } from './daemon-run.ts';
import type { Damage } from './damages.ts';
import { differences, type Observation, observe, reportedError } from './observation.ts';

/** containerd is another program; what containers wrote is theirs. */
const NOT_OURS = ['containerd', 'containerd.log', 'containers', 'volumes'];
const START_MS = 40_000;
/** What follows from a damage may take a session with the managers to show. */
const SETTLE_MS = 1_500;
const CPU_SHARE_MAX = 0.3;
const POLL_MS = 50;

export interface Outcome {
  readonly verdict: 'works' | 'refused' | 'exits' | 'WRONG';
  /** What the daemon said, or what is wrong. */
  readonly text: string;
}

/** A host of the lab whose daemon is started with damaged files, again and again. */
export class Subject {
  readonly files: readonly string[];
  readonly #lab: Lab;
  readonly #host: string;
  readonly #hostDir: string;
  readonly #stateDir: string;
  readonly #pristine: string;
  readonly #before: Observation;

  private constructor(lab: Lab, host: string, before: Observation) {
    this.#lab = lab;
    this.#host = host;
    this.#hostDir = join('/var/tmp', `${LAB_NAME}-lab`, 'hosts', host);
    this.#stateDir = join(this.#hostDir, 'state');
    this.#pristine = join(this.#hostDir, 'pristine');
    this.#before = before;
    rmSync(this.#pristine, { recursive: true, force: true });
    mkdirSync(this.#pristine);
    this.#copy(this.#stateDir, this.#pristine);
    this.files = filesBelow(this.#pristine).map((path) => relative(this.#pristine, path));
  }

  /** Kills the daemon of `host` and remembers its files, and what users saw. */
  static async take(lab: Lab, host: string): Promise<Subject> {
    const hostDir = join('/var/tmp', `${LAB_NAME}-lab`, 'hosts', host);
    await lab.verb('kill', host);
    await pause(500);
    // As it starts from these files without any damage.
    const run = new DaemonRun({ hostDir, lab: LAB_NAME, host });
    try {
      const before = await settled(run, host === lab.manager);
      await run.kill();
      return new Subject(lab, host, before);
    } finally {
      await run.kill();
    }
  }

  get isManager(): boolean {
    return this.#host === this.#lab.manager;
  }

  sizeOf(file: string): number {
    return lstatSync(join(this.#pristine, file)).size;
  }

  /** Starts the daemon with all files as they were; throws when that is not what it was. */
  async control(): Promise<void> {
    const { verdict, text } = await this.#try('', undefined);
    if (verdict !== 'works') throw new Error(`without any damage: ${verdict}: ${text}`);
  }

  try(file: string, damage: Damage): Promise<Outcome> {
    return this.#try(file, damage);
  }

  async #try(file: string, damage: Damage | undefined): Promise<Outcome> {
    this.#restore();
    await damage?.apply(join(this.#stateDir, file));
    const { isManager } = this;
    const run = new DaemonRun({ hostDir: this.#hostDir, lab: LAB_NAME, host: this.#host });
    try {
      const end = Date.now() + START_MS;
      let seen: Observation | undefined;
      while (Date.now() < end) {
        if (run.exitCode !== undefined) return exited(run, file);
        const error = await reportedError(run);
        if (error) return await refused(run, file, error);
        seen = (await observe(run, isManager)) ?? seen;
        if (seen && isDeepStrictEqual(seen, this.#before)) return await this.#works(run);
        await pause(POLL_MS);
      }
      const what = seen ? differences(this.#before, seen).join('; ') : 'no answer';
      return { verdict: 'WRONG', text: what };
    } finally {
      await run.kill();
    }
  }

  /** And goes on to: not only before it has heard of the managers. */
  async #works(run: DaemonRun): Promise<Outcome> {
    await pause(SETTLE_MS);
    const seen = await observe(run, this.isManager);
    if (!seen) return { verdict: 'WRONG', text: 'it answered, and then no more' };
    const [difference] = differences(this.#before, seen);
    if (difference) return { verdict: 'WRONG', text: `after a while, ${difference}` };
    try {
      await this.#lab.http(this.#host, 8080);
    } catch (error) {
      return { verdict: 'WRONG', text: `the service does not answer: ${error}` };
    }
    const warnings = run.output.match(/"msg":"[^"]*damaged[^"]*"/g) ?? [];
    return { verdict: 'works', text: warnings.join(', ') };
  }

  #restore(): void {
    for (const name of readdirSync(this.#stateDir)) {
      if (NOT_OURS.includes(name)) continue;
      rmSync(join(this.#stateDir, name), { recursive: true, force: true });
    }
    this.#copy(this.#pristine, this.#stateDir);
  }

  #copy(from: string, to: string): void {
    for (const name of readdirSync(from)) {
      if (NOT_OURS.includes(name)) continue;
      cpSync(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true });
    }
    execFileSync('sync', ['-f', to]);
  }
}

/** What is seen when it has been the same for a while. */
async function settled(run: DaemonRun, isManager: boolean): Promise<Observation> {
  const end = Date.now() + START_MS;
  let last: Observation | undefined;
  while (Date.now() < end) {
    const seen = await observe(run, isManager);
    if (seen && last && isDeepStrictEqual(seen, last)) return seen;
    last = seen;
    await pause(SETTLE_MS);
  }
  throw new Error(`the node does not come to rest:\n${run.output.slice(-2_000)}`);
}

/** An error must name the file, or the database it is of, say what to do, and end the attempts. */
async function refused(run: DaemonRun, file: string, error: string): Promise<Outcome> {
  const before = run.cpuSeconds;
  const attempts = count(run.output, 'could not start|is damaged');
  await pause(SETTLE_MS);
  const share = (run.cpuSeconds - before) / (SETTLE_MS / 1_000);
  if (run.exitCode !== undefined) return { verdict: 'WRONG', text: 'reported, and then ended' };
  if (share > CPU_SHARE_MAX) {
    return {
      verdict: 'WRONG',
      text: `takes ${Math.round(100 * share)} % of a processor: ${error}`,
    };
  }
  if (count(run.output, 'could not start|is damaged') > attempts) {
    return { verdict: 'WRONG', text: `tries again and again: ${error}` };
  }
  return { verdict: isClear(error, file) ? 'refused' : 'WRONG', text: error };
}

function exited(run: DaemonRun, file: string): Outcome {
  const text = run.output
    .split('\n')
    .filter((line) => /^(swarmd|hint):/.test(line))
    .join(' ');
  const clear = run.exitCode === 1 && text.includes('hint:') && isClear(text, file);
  return { verdict: clear ? 'exits' : 'WRONG', text: text || run.output.slice(-500) };
}

function isClear(text: string, file: string): boolean {
  const named = [basename(file), `/${dirname(file)} `, `/${dirname(file)}.`];
  return named.some((name) => text.includes(name)) && /Restore|leave the swarm/.test(text);
}

function count(text: string, pattern: string): number {
  return text.match(new RegExp(pattern, 'g'))?.length ?? 0;
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(dir, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .sort();
}
