import { closeSync, fstatSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { unlessAborted } from '../../../common/abort.ts';
import type { LogLine, LogOptions } from '../../engine/types.ts';
import type { LogFile } from './log-file.ts';
import { decodeRecord, formatNanos, type LogStream, streamOfRecord } from './log-format.ts';

const CHUNK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

const readAt = promisify(read);

/**
 * Reads a container's log files at `path`, oldest first. `writer` is the open log of a running
 * container: then what is being written is waited for, and `follow` goes on until it is closed.
 */
export async function* readLog(
  path: string,
  writer: LogFile | undefined,
  options: LogOptions,
): AsyncGenerator<LogLine> {
  await writer?.drained();
  const log = new Log(path, writer);
  const wanted = streamsOf(options);
  const since = options.since === undefined ? '' : formatNanos(options.since);
  const until = options.until === undefined ? '~' : formatNanos(options.until);
  let place = await startOf(log, options.tail, wanted);
  while (place) {
    try {
      for await (const record of recordsFrom(place, writer, options)) {
        const line = decodeRecord(record);
        if (!line || !wanted.has(line.stream) || line.time < since) continue;
        if (line.time > until) return;
        yield line;
      }
    } finally {
      closeSync(place.fd);
    }
    if (options.signal?.aborted) return;
    place = log.next(place.generation);
  }
}

/** A file of the log, opened: whatever rotation does to its name, this is still it. */
interface Place {
  readonly fd: number;
  readonly offset: number;
  /** 0 is the writer's first file; those before it are negative. */
  readonly generation: number;
}

function streamsOf(options: LogOptions): Set<LogStream> {
  const streams = new Set<LogStream>();
  if (options.stdout) streams.add('stdout');
  if (options.stderr) streams.add('stderr');
  return streams;
}

/** Where to begin: the oldest file, or as far from the end as the tail's lines go. */
async function startOf(
  log: Log,
  tail: number | undefined,
  wanted: ReadonlySet<LogStream>,
): Promise<Place | undefined> {
  let missing = tail ?? Number.POSITIVE_INFINITY;
  let found: Place | undefined;
  for (let generation = log.current(); ; generation--) {
    const fd = log.open(generation);
    // The log is shorter than the tail: all of the oldest file.
    if (fd === undefined) return found;
    if (found) closeSync(found.fd);
    found = { fd, offset: 0, generation };
    if (tail === undefined) continue;
    const place = await offsetFromEnd(fd, missing, wanted);
    if (place.missing === 0) return { ...found, offset: place.offset };
    missing = place.missing;
  }
}

/** The files of one log by generation. A name is looked up and opened in one step. */
class Log {
  readonly #path: string;
  readonly #writer: LogFile | undefined;

  constructor(path: string, writer: LogFile | undefined) {
    this.#path = path;
    this.#writer = writer;
  }

  current(): number {
    return this.#writer?.generation ?? 0;
  }

  open(generation: number): number | undefined {
    const age = this.current() - generation;
    try {
      return openSync(age === 0 ? this.#path : `${this.#path}.${age}`, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Rotation may have removed the files that would have come next. */
  next(generation: number): Place | undefined {
    for (let next = generation + 1; next <= this.current(); next++) {
      const fd = this.open(next);
      if (fd !== undefined) return { fd, offset: 0, generation: next };
    }
    return undefined;
  }
}

/** Looks backwards for `count` records of the wanted streams. */
async function offsetFromEnd(
  fd: number,
  count: number,
  wanted: ReadonlySet<LogStream>,
): Promise<{ offset: number; missing: number }> {
  let { size: end } = fstatSync(fd);
  let missing = count;
  if (missing === 0) return { offset: end, missing };
  let carry: Buffer = Buffer.alloc(0);
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = Buffer.alloc(end - start);
    await readAt(fd, chunk, 0, chunk.length, start);
    const text = Buffer.concat([chunk, carry]);
    let lineEnd = text.length;
    for (;;) {
      // The line feed before the record that ends at `lineEnd`.
      const before = lineEnd < 2 ? -1 : text.lastIndexOf(LINE_FEED, lineEnd - 2);
      if (before < 0) break;
      const stream = streamOfRecord(text.subarray(before + 1, lineEnd));
      if (stream && wanted.has(stream) && --missing === 0) {
        return { offset: start + before + 1, missing };
      }
      lineEnd = before + 1;
    }
    carry = text.subarray(0, lineEnd);
    end = start;
  }
  const stream = streamOfRecord(carry);
  if (stream && wanted.has(stream)) missing--;
  return { offset: 0, missing };
}

/** Whole records without their line feeds, up to the end of a file that nobody writes any more. */
async function* recordsFrom(
  { fd, generation, offset }: Place,
  writer: LogFile | undefined,
  options: LogOptions,
): AsyncGenerator<Buffer> {
  let at = offset;
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    // Asked before the read: what is written after it is seen as a change.
    const live = options.follow && writer && !writer.closed && writer.generation === generation;
    const changed = live ? writer.changed() : undefined;
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await readAt(fd, chunk, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) {
      if (!changed || options.signal?.aborted) return;
      if (options.signal) await unlessAborted(changed, options.signal).catch(() => undefined);
      else await changed;
      continue;
    }
    at += bytesRead;
    const text = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = text.indexOf(LINE_FEED); end >= 0; end = text.indexOf(LINE_FEED, start)) {
      yield text.subarray(start, end);
      start = end + 1;
    }
    rest = text.subarray(start);
  }
}
