import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import { callMessage } from '../runtime/containerd/errors.ts';
import { LogFile } from '../runtime/io/log-file.ts';
import { Stamper } from '../runtime/io/log-format.ts';
import { ProcessIo } from '../runtime/io/process-io.ts';
import { buildSpec } from '../runtime/oci/spec.ts';
import type { OciSpec } from '../runtime/oci/types.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ContainerEntry } from './container.ts';
import { logSettings } from './logging.ts';
import { type ContainerRecord, volumesOf } from './record.ts';
import type { OpenSandbox, Sandboxes } from './sandboxes.ts';
import { specInput } from './spec-input.ts';
import { UndoStack } from './undo.ts';
import type { Volumes } from './volumes.ts';

export interface StarterComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly sandboxes: Sandboxes;
  readonly volumes: Volumes;
}

export interface StarterInit {
  readonly containersDir: string;
  readonly ioDir: string;
  readonly cgroupParent: string;
  /** Marks our containers in a containerd that others use too. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A process that runs, and all that belongs to it. */
export interface Started {
  readonly pid: number;
  readonly startedAt: number; // milliseconds since the epoch
  readonly io: ProcessIo;
  readonly log: LogFile | undefined;
  readonly spec: OciSpec;
  readonly sandbox: OpenSandbox;
}

/** Turns a created container into a running process. */
export class Starter {
  readonly #parts: StarterComponents;
  readonly #init: StarterInit;
  readonly #stamper: Stamper;

  constructor(components: StarterComponents, init: StarterInit) {
    this.#parts = components;
    this.#init = init;
    this.#stamper = new Stamper(() => components.clock.now());
  }

  logPath(id: string): string {
    return join(this.#init.containersDir, id, 'container.log');
  }

  /** Undoes everything when it fails, and says why in Docker's words. */
  async start(entry: ContainerEntry): Promise<Started> {
    const { record } = entry;
    const { runtime, logger, sandboxes, volumes } = this.#parts;
    const undo = new UndoStack({ logger });
    try {
      const [sandbox, rootfs] = await bothOrNeither(
        sandboxes.open(record),
        runtime.snapshots.mounts(record.id),
        (opened) => sandboxes.close({ ...record, attachments: opened.attachments }),
      );
      undo.push(() => sandboxes.close({ ...record, attachments: sandbox.attachments }));
      undo.push(() => volumes.release(volumesOf(record), record.id));
      await volumes.acquire(volumesOf(record), record.id);
      const input = await specInput(record, {
        rootfs,
        hostname: sandboxes.hostnameOf(record),
        netnsPath: sandbox.info.netnsPath,
        filesDir: join(this.#init.containersDir, record.id),
        cgroupParent: record.hostConfig.CgroupParent || this.#init.cgroupParent,
        features: runtime.features,
      });
      const spec = buildSpec(input);
      const io = this.io(record);
      undo.push(() => io.remove());
      const labels = { ...this.#init.labels };
      await Promise.all([io.create(), runtime.tasks.define(record.id, spec, labels)]);
      const log = this.openLog(record);
      undo.push(() => log?.close());
      this.connect(entry, io, log, { fresh: true });
      const terminal = record.config.Tty ?? false;
      undo.push(() => runtime.tasks.purge(record.id));
      const pid = await runtime.tasks.create(record.id, { rootfs, fifos: io.paths, terminal });
      io.handOver();
      const startedAt = this.#parts.clock.now();
      await runtime.tasks.start(record.id);
      this.connectInput(entry, io);
      return { pid, startedAt, io, log, spec, sandbox };
    } catch (error) {
      await undo.unwind();
      throw startError(error);
    }
  }

  io(record: ContainerRecord): ProcessIo {
    return new ProcessIo({
      dir: join(this.#init.ioDir, record.id, 'main'),
      stdin: record.config.OpenStdin ?? false,
      terminal: record.config.Tty ?? false,
    });
  }

  openLog(record: ContainerRecord): LogFile | undefined {
    const settings = logSettings(record.hostConfig);
    if (!settings) return undefined;
    const path = this.logPath(record.id);
    const { clock } = this.#parts;
    return new LogFile({ clock, stamper: this.#stamper }, { path, ...settings });
  }

  /** Lets output flow to the log and to whoever is attached. */
  connect(
    entry: ContainerEntry,
    io: ProcessIo,
    log: LogFile | undefined,
    init: { fresh: boolean },
  ): void {
    if (log) entry.output.add(logSink(log));
    entry.output.setFlow(io);
    io.open((stream, chunk) => entry.output.push(stream, chunk), init);
  }

  /** Lets clients' input flow, once the shim has opened its end: before, it would be lost. */
  connectInput(entry: ContainerEntry, io: ProcessIo): void {
    entry.stdin.connect(io.stdin, () => {
      void this.#parts.runtime.tasks.closeStdin(entry.id).catch(() => {});
    });
  }
}

function logSink(log: LogFile) {
  return {
    accept: (stream: 'stdout' | 'stderr', chunk: Buffer) => log.append(stream, chunk),
    drained: () => log.drained(),
    finish: () => {},
  };
}

/** When one fails after the other succeeded, the success is taken back. */
async function bothOrNeither<A, B>(
  first: Promise<A>,
  second: Promise<B>,
  takeBack: (value: A) => Promise<void>,
): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'fulfilled' && b.status === 'fulfilled') return [a.value, b.value];
  if (a.status === 'fulfilled') await takeBack(a.value);
  throw a.status === 'rejected' ? a.reason : (b as PromiseRejectedResult).reason;
}

/** What runc says about the user's command is the user's error; the CLI reads its exit code off it. */
function startError(error: unknown): unknown {
  if (error instanceof SwarmError) return error;
  const message = `failed to create task for container: ${callMessage(error)}`;
  const usersFault =
    /executable file not found|no such file or directory|permission denied|is a directory|not a directory/;
  const code = usersFault.test(message) ? 'SWM_INVALID_ARGUMENT' : 'SWM_INTERNAL';
  return new SwarmError(code, message, { cause: error });
}
