import { existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { LogLine, LogOptions } from '../../engine/types.ts';
import type { LogFile } from './log-file.ts';
import { decodeRecord, formatNanos, type LogStream, streamOfRecord } from './log-format.ts';

const CHUNK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

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
  const wanted = streamsOf(options);
  const since = options.since === undefined ? '' : formatNanos(options.since);
  const until = options.until === undefined ? '~' : formatNanos(options.until);
  let place = await startOf(path, writer, options.tail, wanted);
  while (place) {
    const { generation } = place;
    for await (const record of recordsFrom(place.file, place.offset, writer, generation, options)) {
      const line = decodeRecord(record);
      if (!line || !wanted.has(line.stream) || line.time < since) continue;
      if (line.time > until) return void (await place.file.close());
      yield line;
    }
    await place.file.close();
    if (options.signal?.aborted) return;
    place = await nextFile(path, writer, generation);
  }
}

interface Place {
  readonly file: FileHandle;
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
  path: string,
  writer: LogFile | undefined,
  tail: number | undefined,
  wanted: ReadonlySet<LogStream>,
): Promise<Place | undefined> {
  const current = writer?.generation ?? 0;
  let missing = tail ?? Number.POSITIVE_INFINITY;
  let age = 0;
  if (tail === undefined) {
    while (existsSync(nameOf(path, age + 1))) age++;
    const file = await openOrUndefined(nameOf(path, age));
    return file && { file, offset: 0, generation: current - age };
  }
  for (;;) {
    const file = await openOrUndefined(nameOf(path, age));
    if (!file) {
      // The log is shorter than the tail: all of the oldest file.
      if (age === 0) return undefined;
      const oldest = await openOrUndefined(nameOf(path, age - 1));
      return oldest && { file: oldest, offset: 0, generation: current - age + 1 };
    }
    const found = await offsetFromEnd(file, missing, wanted);
    if (found.missing === 0) return { file, offset: found.offset, generation: current - age };
    missing = found.missing;
    await file.close();
    age++;
  }
}

/** Looks backwards for `count` records of the wanted streams. */
async function offsetFromEnd(
  file: FileHandle,
  count: number,
  wanted: ReadonlySet<LogStream>,
): Promise<{ offset: number; missing: number }> {
  let { size: end } = await file.stat();
  let missing = count;
  if (missing === 0) return { offset: end, missing };
  let carry: Buffer = Buffer.alloc(0);
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = Buffer.alloc(end - start);
    await file.read(chunk, 0, chunk.length, start);
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
  file: FileHandle,
  offset: number,
  writer: LogFile | undefined,
  generation: number,
  options: LogOptions,
): AsyncGenerator<Buffer> {
  let at = offset;
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    // Asked before the read: what is written after it is seen as a change.
    const live = options.follow && writer && !writer.closed && writer.generation === generation;
    const changed = live ? writer.changed() : undefined;
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) {
      if (!changed || options.signal?.aborted) return;
      await orAborted(changed, options.signal);
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

async function nextFile(
  path: string,
  writer: LogFile | undefined,
  generation: number,
): Promise<Place | undefined> {
  const current = writer?.generation ?? 0;
  // Rotation may have removed the files that would have come next.
  for (let next = generation + 1; next <= current; next++) {
    const file = await openOrUndefined(nameOf(path, current - next));
    if (file) return { file, offset: 0, generation: next };
  }
  return undefined;
}

const nameOf = (path: string, age: number): string => (age === 0 ? path : `${path}.${age}`);

async function openOrUndefined(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function orAborted(promise: Promise<void>, signal?: AbortSignal): Promise<void> {
  if (!signal) return promise;
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    void promise.then(resolve);
  });
}
