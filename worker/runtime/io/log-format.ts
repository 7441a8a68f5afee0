import type { LogLine } from '../../engine/types.ts';

/**
 * Containers' output is kept in the CRI log format of Kubernetes, which log shippers read:
 *
 *     2025-11-21T23:44:00.123456789Z stdout F the line
 *
 * F is a line that ended in a line feed, P a piece of one (too long, or the last without a line
 * feed). Bytes are kept as they came. The part before the data has a fixed width.
 */
export const HEADER_BYTES = 40;

const TIME_BYTES = 30;
const LINE_FEED = 0x0a;
/** Longer lines are stored in pieces, as Docker does. */
export const LINE_BYTES_MAX = 16 * 1024;

export type LogStream = LogLine['stream'];

/** A record with its line feed. `data` may itself end in one. */
export function encodeRecord(time: string, stream: LogStream, data: Buffer): Buffer {
  const whole = data.at(-1) === LINE_FEED;
  const header = Buffer.from(`${time} ${stream} ${whole ? 'F' : 'P'} `, 'latin1');
  return Buffer.concat(whole ? [header, data] : [header, data, Buffer.of(LINE_FEED)]);
}

/** `record` is without its line feed. Undefined for anything that is no record. */
export function decodeRecord(record: Buffer): LogLine | undefined {
  if (record.length < HEADER_BYTES) return undefined;
  const header = record.toString('latin1', 0, HEADER_BYTES);
  const stream = header.slice(TIME_BYTES + 1, TIME_BYTES + 7);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const data = record.subarray(HEADER_BYTES);
  const whole = header[HEADER_BYTES - 2] === 'F';
  return {
    stream,
    time: header.slice(0, TIME_BYTES),
    data: whole ? Buffer.concat([data, Buffer.of(LINE_FEED)]) : data,
  };
}

/** The stream of a record, or undefined, without decoding the rest. */
export function streamOfRecord(record: Buffer): LogStream | undefined {
  const name = record.toString('latin1', TIME_BYTES + 1, TIME_BYTES + 7);
  return name === 'stdout' || name === 'stderr' ? name : undefined;
}

/** Cuts one stream into lines, and lines into pieces of at most LINE_BYTES_MAX. */
export class LineSplitter {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let rest = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    while (rest.length > 0) {
      const end = rest.indexOf(LINE_FEED) + 1;
      if (end > 0 && end <= LINE_BYTES_MAX + 1) {
        lines.push(rest.subarray(0, end));
        rest = rest.subarray(end);
      } else if (rest.length > LINE_BYTES_MAX) {
        lines.push(rest.subarray(0, LINE_BYTES_MAX));
        rest = rest.subarray(LINE_BYTES_MAX);
      } else break;
    }
    // A copy, so that the last bytes do not keep the whole chunk in memory.
    this.#pending = Buffer.from(rest);
    return lines;
  }

  /** What is left when the stream ends. */
  end(): Buffer[] {
    const rest = this.#pending;
    this.#pending = Buffer.alloc(0);
    return rest.length > 0 ? [rest] : [];
  }
}

/** Time stamps that never repeat: lines within one millisecond are one nanosecond apart. */
export class Stamper {
  readonly #now: () => number;
  #millisecond = 0;
  #nanos = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  next(): string {
    const now = Math.floor(this.#now());
    if (now === this.#millisecond) this.#nanos = Math.min(this.#nanos + 1, 999_999);
    else {
      this.#millisecond = now;
      this.#nanos = 0;
    }
    return formatNanos(now, this.#nanos);
  }
}

/** RFC 3339 in UTC with nine digits of the second. */
export function formatNanos(milliseconds: number, nanos = 0): string {
  const iso = new Date(milliseconds).toISOString();
  return `${iso.slice(0, -1)}${nanos.toString().padStart(6, '0')}Z`;
}
