import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../common/clock.ts';
import { endsWithin } from '../../common/deadline.ts';
import { SwarmError } from '../../common/errors.ts';
import { newHexId } from '../../common/ids.ts';
import type { Random } from '../../common/random.ts';
import { callMessage } from '../runtime/containerd/errors.ts';
import { ProcessIo } from '../runtime/io/process-io.ts';
import { buildExecProcess } from '../runtime/oci/spec.ts';
import type { OciProcess } from '../runtime/oci/types.ts';
import { resolveUser } from '../runtime/oci/user.ts';
import { readRootfsFile } from '../runtime/rootfs.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { AttachStream } from './attach-stream.ts';
import type { ContainerEntry, Run } from './container.ts';
import { parseDetachKeys } from './detach-keys.ts';
import type { EventBus } from './events.ts';
import { startFailureCode } from './exit-code.ts';
import { OutputHub } from './output-hub.ts';
import { StdinGate } from './stdin-gate.ts';
import type { ContainerTable } from './table.ts';
import type { ExecConfig, ExecInspect } from './types.ts';

/** The exit code when the reason is not the program. */
const CANNOT_EXEC = 126;
/** Ended execs can be inspected this long. */
const KEEP_MS = 5 * 60 * 1000;
const DRAIN_TIMEOUT_MS = 2_000;
const SIGKILL = 9;

interface Exec {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  readonly detachKeys: readonly number[];
  readonly stdin: StdinGate;
  readonly output: OutputHub;
  state: 'created' | 'running' | 'exited';
  exitCode: number | null;
  pid: number;
}

export interface ExecsComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly runtime: Runtime;
  readonly table: ContainerTable;
  readonly events: EventBus;
}

/** Further processes in running containers. They live in memory: a restart forgets them. */
export class Execs {
  readonly #parts: ExecsComponents;
  readonly #ioDir: string;
  readonly #execs = new Map<string, Exec>();

  constructor(components: ExecsComponents, init: { ioDir: string }) {
    this.#parts = components;
    this.#ioDir = init.ioDir;
  }

  create(entry: ContainerEntry, config: ExecConfig): string {
    mustRun(entry);
    if (!config.Cmd || config.Cmd.length === 0) {
      throw new SwarmError('SWM_INVALID_ARGUMENT', 'No exec command specified');
    }
    const detachKeys = parseDetachKeys(config.DetachKeys);
    const exec = this.#add(entry, config, detachKeys);
    this.#event(entry, exec, 'exec_create');
    return exec.id;
  }

  /**
   * Undefined when detached. A command that cannot be run is told on the stream, as its client has no
   * other place for it; the exit code is then 126 or 127.
   */
  async start(
    id: string,
    options: { detach: boolean; tty?: boolean },
  ): Promise<Duplex | undefined> {
    const exec = this.#get(id);
    const entry = this.#parts.table.get(exec.containerId);
    if (exec.state !== 'created') {
      const message =
        exec.state === 'running'
          ? `Exec ${id} is already running`
          : `Error: Exec command ${id} has already run`;
      throw new SwarmError('SWM_CONFLICT', message);
    }
    mustRun(entry);
    exec.state = 'running';
    const stream = options.detach ? undefined : this.#stream(entry, exec);
    if (stream) exec.output.add(stream);
    this.#event(entry, exec, 'exec_start');
    await this.#launch(entry, exec).catch((error) => {
      if (!stream) throw error;
    });
    return stream;
  }

  async resize(id: string, height: number, width: number): Promise<void> {
    const exec = this.#get(id);
    if (exec.state !== 'running') {
      throw new SwarmError('SWM_CONFLICT', `Exec ${id} is not running`);
    }
    await this.#parts.runtime.tasks.resize(exec.containerId, id, { width, height });
  }

  inspect(id: string): ExecInspect {
    const { config, containerId, detachKeys, exitCode, pid, state } = this.#get(id);
    const [entrypoint = '', ...args] = config.Cmd;
    return {
      ID: id,
      Running: state === 'running',
      ExitCode: exitCode,
      ProcessConfig: {
        tty: config.Tty ?? false,
        entrypoint,
        arguments: args,
        user: config.User ?? '',
        privileged: config.Privileged ?? false,
      },
      OpenStdin: config.AttachStdin ?? false,
      OpenStdout: config.AttachStdout ?? false,
      OpenStderr: config.AttachStderr ?? false,
      CanRemove: state === 'exited',
      ContainerID: containerId,
      DetachKeys: Buffer.from(detachKeys).toString('latin1'),
      Pid: state === 'running' ? pid : 0,
    };
  }

  /** Those of a container that were not removed yet, for its inspect answer. */
  idsOf(containerId: string): string[] {
    return [...this.#execs.values()]
      .filter((exec) => exec.containerId === containerId && exec.state === 'running')
      .map(({ id }) => id);
  }

  /** Runs a command to its end and gives its first `maxBytes` of output: a health probe. */
  async probe(
    entry: ContainerEntry,
    args: readonly string[],
    init: { timeoutMs: number; maxBytes: number; signal: AbortSignal },
  ): Promise<{ exitCode: number; output: string; timedOut: boolean }> {
    const exec = this.#add(entry, { Cmd: [...args] }, []);
    exec.state = 'running';
    let output: Buffer = Buffer.alloc(0);
    exec.output.add({
      accept(_stream, chunk) {
        if (output.length < init.maxBytes) {
          output = Buffer.concat([output, chunk]).subarray(0, init.maxBytes);
        }
        return true;
      },
      drained: () => Promise.resolve(),
      finish: () => {},
    });
    try {
      const { ended } = await this.#launch(entry, exec);
      const { clock } = this.#parts;
      const timedOut = !(await endsWithin(clock, init.timeoutMs, ended, init.signal));
      if (timedOut) {
        const { tasks } = this.#parts.runtime;
        await tasks.kill(entry.id, SIGKILL, { execId: exec.id }).catch(() => {});
      }
      return { exitCode: exec.exitCode ?? -1, output: output.toString('utf8'), timedOut };
    } finally {
      this.#execs.delete(exec.id);
    }
  }

  /** Resolves when the process runs; `ended` never rejects. */
  async #launch(entry: ContainerEntry, exec: Exec): Promise<{ ended: Promise<void> }> {
    const { tasks } = this.#parts.runtime;
    const { id } = exec;
    const run = mustRun(entry);
    const terminal = exec.config.Tty ?? false;
    const dir = join(this.#ioDir, entry.id, id);
    const io = new ProcessIo({ dir, stdin: exec.config.AttachStdin ?? false, terminal });
    let prepared = false;
    try {
      await io.create();
      exec.output.setFlow(io);
      io.open((stream, chunk) => exec.output.push(stream, chunk), { fresh: true });
      const process = await this.#process(entry, run, exec.config);
      await tasks.exec(entry.id, id, { process, fifos: io.paths, terminal });
      prepared = true;
      exec.pid = await tasks.start(entry.id, id);
    } catch (error) {
      // What was prepared and never ran would stay in the shim.
      if (prepared) await tasks.delete(entry.id, id).catch(() => {});
      const failure = execError(error);
      await io.remove();
      exec.output.push('stdout', Buffer.from(`${failure.message}\r\n`));
      this.#over(exec, startFailureCode(failure.message, CANNOT_EXEC));
      this.#event(entry, exec, 'exec_die', { exitCode: String(exec.exitCode) });
      throw failure;
    }
    io.handOver();
    exec.stdin.connect(io.stdin, () => {
      void tasks.closeStdin(entry.id, id).catch(() => {});
    });
    return { ended: this.#watch(entry, exec, io) };
  }

  async #watch(entry: ContainerEntry, exec: Exec, io: ProcessIo): Promise<void> {
    const { clock, runtime } = this.#parts;
    const exit = await runtime.tasks.wait(entry.id, exec.id).catch(() => undefined);
    await runtime.tasks.delete(entry.id, exec.id).catch(() => {});
    await endsWithin(clock, DRAIN_TIMEOUT_MS, io.ended);
    await io.remove().catch(() => {});
    this.#over(exec, exit?.exitCode ?? 137);
    this.#event(entry, exec, 'exec_die', { exitCode: String(exec.exitCode) });
  }

  #over(exec: Exec, exitCode: number): void {
    exec.state = 'exited';
    exec.exitCode = exitCode;
    exec.stdin.close();
    exec.output.end();
    this.#parts.clock.setTimer(KEEP_MS, () => this.#execs.delete(exec.id));
  }

  async #process(entry: ContainerEntry, run: Run, config: ExecConfig): Promise<OciProcess> {
    const { runtime } = this.#parts;
    return buildExecProcess(run.spec, {
      args: config.Cmd,
      env: config.Env ?? [],
      cwd: config.WorkingDir ?? '',
      user: config.User ? await this.#user(entry, config.User) : run.spec.process.user,
      terminal: config.Tty ?? false,
      privileged: config.Privileged ?? false,
      lastCap: runtime.features.lastCap,
    });
  }

  async #user(entry: ContainerEntry, user: string) {
    const { snapshots } = this.#parts.runtime;
    const rootfs = await snapshots.mounts(entry.id);
    const [passwd, group] = await Promise.all([
      readRootfsFile(rootfs, '/etc/passwd'),
      readRootfsFile(rootfs, '/etc/group'),
    ]);
    return resolveUser(user, entry.record.hostConfig.GroupAdd ?? [], { passwd, group });
  }

  #add(entry: ContainerEntry, config: ExecConfig, detachKeys: readonly number[]): Exec {
    const exec: Exec = {
      id: newHexId(this.#parts.random),
      containerId: entry.id,
      config,
      detachKeys,
      stdin: new StdinGate(),
      output: new OutputHub(),
      state: 'created',
      exitCode: null,
      pid: 0,
    };
    this.#execs.set(exec.id, exec);
    return exec;
  }

  #stream(entry: ContainerEntry, exec: Exec): AttachStream {
    const { config } = exec;
    const stream = new AttachStream({
      stdin: config.AttachStdin ? exec.stdin : undefined,
      stdout: config.AttachStdout ?? false,
      stderr: config.AttachStderr ?? false,
      terminal: config.Tty ?? false,
      detachKeys: exec.detachKeys,
      closesStdin: true,
      onDetach: () => this.#event(entry, exec, 'exec_detach'),
      onClose: () => exec.output.delete(stream),
    });
    return stream;
  }

  #event(
    entry: ContainerEntry,
    exec: Exec,
    action: string,
    more: Readonly<Record<string, string>> = {},
  ): void {
    const tail = action === 'exec_create' || action === 'exec_start';
    const name = tail ? `${action}: ${exec.config.Cmd.join(' ')}` : action;
    this.#parts.events.container(name, entry.record, { execID: exec.id, ...more });
  }

  #get(id: string): Exec {
    const exec = this.#execs.get(id);
    if (exec) return exec;
    throw new SwarmError('SWM_NOT_FOUND', `No such exec instance: ${id}`);
  }
}

function mustRun(entry: ContainerEntry): Run {
  const { id, state } = entry.record;
  if (state.status === 'paused') {
    throw new SwarmError(
      'SWM_CONFLICT',
      `Container ${id} is paused, unpause the container before exec`,
    );
  }
  if (state.status === 'running' && entry.run) return entry.run;
  throw new SwarmError('SWM_CONFLICT', `container ${id} is not running`);
}

function execError(error: unknown): SwarmError {
  if (error instanceof SwarmError) return error;
  const text = callMessage(error);
  const prefix = 'OCI runtime exec failed: ';
  const message = text.startsWith(prefix) ? text : `${prefix}${text}`;
  return new SwarmError('SWM_INVALID_ARGUMENT', message, { cause: error });
}
