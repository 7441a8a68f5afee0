import type { Duplex } from 'node:stream';
import { SwarmError } from '../../common/errors.ts';
import { readLog } from '../runtime/io/log-reader.ts';
import { AttachStream, frame } from './attach-stream.ts';
import type { ContainerEntry } from './container.ts';
import { parseDetachKeys } from './detach-keys.ts';
import type { EventBus } from './events.ts';
import { logSettings } from './logging.ts';
import type { AttachOptions, LogLine, LogOptions } from './types.ts';

export interface AttachComponents {
  readonly events: EventBus;
  readonly logPath: (id: string) => string;
}

/** A client joins a container's streams; before its start too. */
export async function attach(
  components: AttachComponents,
  entry: ContainerEntry,
  options: AttachOptions,
): Promise<Duplex> {
  const { config, state } = entry.record;
  if (state.status === 'paused') {
    const message = `container ${entry.id} is paused, unpause the container before attach`;
    throw new SwarmError('SWM_CONFLICT', message);
  }
  const terminal = config.Tty ?? false;
  const wantsInput = options.stdin && (config.OpenStdin ?? false);
  const stream = new AttachStream({
    stdin: wantsInput && options.stream ? entry.stdin : undefined,
    stdout: options.stdout,
    stderr: options.stderr,
    terminal,
    detachKeys: parseDetachKeys(options.detachKeys),
    closesStdin: (config.StdinOnce ?? false) && !terminal,
    onDetach: () => components.events.container('detach', entry.record),
    onClose: () => entry.output.delete(stream),
  });
  if (options.stream) entry.output.add(stream);
  if (options.logs) await printLog(components, entry, options, stream, terminal);
  if (!options.stream) stream.finish();
  components.events.container('attach', entry.record);
  return stream;
}

/** A container's output so far, or on and on. Throws when its driver keeps none. */
export async function* containerLogs(
  components: AttachComponents,
  entry: ContainerEntry,
  options: LogOptions,
): AsyncGenerator<LogLine> {
  if (!logSettings(entry.record.hostConfig)) {
    throw new SwarmError(
      'SWM_INVALID_ARGUMENT',
      'configured logging driver does not support reading',
    );
  }
  yield* readLog(components.logPath(entry.id), entry.run?.log, options);
}

async function printLog(
  components: AttachComponents,
  entry: ContainerEntry,
  options: AttachOptions,
  stream: AttachStream,
  terminal: boolean,
): Promise<void> {
  const { stdout, stderr } = options;
  const lines = containerLogs(components, entry, { stdout, stderr, follow: false });
  for await (const line of lines) {
    stream.push(terminal ? line.data : frame(line.stream, line.data));
  }
}
