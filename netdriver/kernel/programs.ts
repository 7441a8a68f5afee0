import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { KernelError } from './types.ts';

/** Programs that run at once; more only compete for the processors and for the kernel's locks. */
const RUNNING_MAX = 6;
/** One write of this size to a socket is never torn apart by another writer. */
const REPORT_BYTES_MAX = 3000;

interface Job {
  readonly id: number;
  readonly netnsPath: string;
  readonly command: readonly string[];
  readonly input: string;
  readonly resolve: (exit: { status: number; output: string }) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Runs programs inside namespaces through one long-lived shell. To spawn a process, Node copies its
 * own page tables and waits for the copy to execute: milliseconds in which nothing else happens, and
 * the more the larger the daemon is. A shell that only reads lines does it in a fraction, elsewhere.
 */
export class ProgramRunner {
  #shell: ChildProcessWithoutNullStreams | undefined;
  #received = '';
  #lastId = 0;
  readonly #waiting: Job[] = [];
  readonly #running = new Map<number, Job>();

  /** Resolves when the program ends with 0 or one of `acceptedExits`; its output is not kept. */
  async run(
    netnsPath: string,
    command: readonly string[],
    input = '',
    acceptedExits: readonly number[] = [],
  ): Promise<void> {
    const exit = await new Promise<{ status: number; output: string }>((resolve, reject) => {
      this.#waiting.push({ id: ++this.#lastId, netnsPath, command, input, resolve, reject });
      this.#next();
    });
    if (exit.status === 0 || acceptedExits.includes(exit.status)) return;
    throw new KernelError('EIO', `${command.join(' ')} ended with ${exit.status}: ${exit.output}`);
  }

  #next(): void {
    while (this.#running.size < RUNNING_MAX) {
      const job = this.#waiting.shift();
      if (!job) return;
      this.#running.set(job.id, job);
      this.#shell ??= this.#start();
      keepAlive(this.#shell, true);
      this.#shell.stdin.write(lineOf(job));
    }
  }

  /** Idle, it does not keep the daemon alive; nor does it outlive it: the end of its input is its end. */
  #start(): ChildProcessWithoutNullStreams {
    const shell = spawn('/bin/sh', [], { stdio: ['pipe', 'pipe', 'pipe'] });
    const fail = (why: string) => {
      if (this.#shell === shell) this.#onEnd(why);
    };
    shell.on('error', (error) => fail(error.message));
    shell.on('close', (code, signal) => fail(`ended with ${signal ?? code}`));
    shell.stdin.on('error', () => {});
    shell.stderr.resume();
    shell.stdout.setEncoding('utf8').on('data', (text: string) => this.#onReport(text));
    return shell;
  }

  /** Reports are `id status output` with the output's line ends as \x1e. */
  #onReport(text: string): void {
    const lines = (this.#received + text).split('\n');
    this.#received = lines.pop() ?? '';
    for (const line of lines) {
      const [, id, status, output = ''] = /^(\d+) (\d+) (.*)$/.exec(line) ?? [];
      const job = this.#running.get(Number(id));
      if (!job) continue;
      this.#running.delete(job.id);
      job.resolve({ status: Number(status), output: output.replaceAll('\x1e', '\n').trim() });
    }
    this.#next();
    if (this.#shell && this.#running.size === 0) keepAlive(this.#shell, false);
  }

  #onEnd(why: string): void {
    this.#shell = undefined;
    this.#received = '';
    const lost = [...this.#running.values()];
    this.#running.clear();
    for (const job of lost) {
      const program = job.command.join(' ');
      job.reject(new KernelError('EIO', `${program}: the shell that runs it ${why}`));
    }
    this.#next();
  }
}

function keepAlive(shell: ChildProcessWithoutNullStreams, alive: boolean): void {
  type Handle = { ref?: () => void; unref?: () => void };
  for (const part of [shell, shell.stdin, shell.stdout, shell.stderr] as Handle[]) {
    if (alive) part.ref?.();
    else part.unref?.();
  }
}

/**
 * The shell's line for a job. The inner subshell runs beside others; the outer one ends at once, so
 * that the shell has nobody to remember.
 */
function lineOf({ id, netnsPath, command, input }: Job): string {
  const program = ['nsenter', `--net=${netnsPath}`, '--', ...command].map(quoted).join(' ');
  const end = `END_OF_INPUT_${id}`;
  const text = input === '' || input.endsWith('\n') ? input : `${input}\n`;
  return (
    `( { o=$(${program} 2>&1 <<'${end}'\n${text}${end}\n); s=$?; ` +
    `o=$(printf %s "$o" | head -c ${REPORT_BYTES_MAX} | tr '\\n' '\\036'); ` +
    `printf '%s %s %s\\n' ${id} $s "$o"; } & )\n`
  );
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Runs one program by itself and resolves with all that it prints; for rare questions. */
export function outputOf(
  netnsPath: string,
  command: readonly string[],
  input = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', [`--net=${netnsPath}`, '--', ...command]);
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (errors.length < REPORT_BYTES_MAX) errors += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(new KernelError(error.code ?? 'EIO', `cannot run ${command[0]}: ${error.message}`)),
    );
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new KernelError('EIO', `${command.join(' ')} ended with ${code}: ${errors}`));
    });
    // A program that ends before it has read everything says why on stderr.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
