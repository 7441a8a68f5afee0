const HEADER_BYTES = 8;
const STREAMS = ['stdin', 'stdout', 'stderr', 'error'] as const;

export interface Frame {
  /** `error` is what the server itself has to say. */
  readonly stream: (typeof STREAMS)[number];
  readonly data: Buffer;
}

/** Cuts Docker's multiplexed stream into its frames: [stream, 0, 0, 0, length (4 bytes)], data. */
export class FrameParser {
  #pending: Buffer = Buffer.alloc(0);

  /** The frames that are complete with this chunk. Throws when this is no multiplexed stream. */
  push(chunk: Buffer): Frame[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const frames: Frame[] = [];
    while (this.#pending.length >= HEADER_BYTES) {
      const stream = STREAMS[this.#pending[0] as number];
      if (!stream) throw new Error(`unrecognized stream: ${this.#pending[0]}`);
      const end = HEADER_BYTES + this.#pending.readUInt32BE(4);
      if (this.#pending.length < end) break;
      frames.push({ stream, data: this.#pending.subarray(HEADER_BYTES, end) });
      this.#pending = this.#pending.subarray(end);
    }
    return frames;
  }
}
