import { Duplex } from 'node:stream';
import { DetachParser } from './detach-keys.ts';
import type { OutputSink } from './output-hub.ts';
import type { StdinGate } from './stdin-gate.ts';
import type { LogLine } from './types.ts';

const FRAME_HEADER_BYTES = 8;
const STREAM_NUMBERS = { stdout: 1, stderr: 2 } as const;

export interface AttachStreamInit {
  readonly stdin: StdinGate | undefined;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Output as it is, and detach keys in the input. */
  readonly terminal: boolean;
  readonly detachKeys: readonly number[];
  /** The end of the client's input is the end of the process's. */
  readonly closesStdin: boolean;
  readonly onDetach: () => void;
  readonly onClose: () => void;
}

/** One client's view of a process: its output to read, its input to write. */
export class AttachStream extends Duplex implements OutputSink {
  readonly #init: AttachStreamInit;
  readonly #parser: DetachParser | undefined;
  readonly #waiting: (() => void)[] = [];
  #ended = false;

  constructor(init: AttachStreamInit) {
    super({ allowHalfOpen: true });
    this.#init = init;
    this.#parser = init.terminal ? new DetachParser(init.detachKeys) : undefined;
  }

  accept(stream: LogLine['stream'], chunk: Buffer): boolean {
    if (this.#ended || this.destroyed || !this.#init[stream]) return true;
    return this.push(this.#init.terminal ? chunk : frame(stream, chunk));
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended || this.destroyed) resolve();
      else this.#waiting.push(resolve);
    });
  }

  finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push(null);
    this.#wake();
  }

  override _read(): void {
    this.#wake();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const { stdin } = this.#init;
    if (!stdin) {
      done();
      return;
    }
    const { data, detached } = this.#parser?.push(chunk) ?? { data: chunk, detached: false };
    if (detached) {
      this.#init.onDetach();
      this.finish();
    }
    if (data.length > 0) stdin.write(data, done);
    else done();
  }

  override _final(done: () => void): void {
    if (this.#init.closesStdin) this.#init.stdin?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#ended = true;
    this.#wake();
    this.#init.onClose();
    // A client that hangs up ends its input too.
    if (this.#init.closesStdin && !this.writableFinished) this.#init.stdin?.end();
    done(error);
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Docker's multiplexed stream: one byte for the stream, three zeros, the length, the data. */
export function frame(stream: LogLine['stream'], data: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(FRAME_HEADER_BYTES + data.length);
  framed.writeUInt32BE(STREAM_NUMBERS[stream] * 2 ** 24, 0);
  framed.writeUInt32BE(data.length, 4);
  data.copy(framed, FRAME_HEADER_BYTES);
  return framed;
}
