import type { Socket } from 'node:net';

/**
 * The way into a process's standard input. It exists before the process does, because clients attach
 * first and start afterwards: what they send meanwhile waits here.
 */
export class StdinGate {
  #socket: Socket | undefined;
  #waiting: (() => void)[] = [];
  #closed = false;
  #onEnd: (() => void) | undefined;

  /** The process is there; `onEnd` tells its shim that no more will come. */
  connect(socket: Socket | undefined, onEnd: () => void): void {
    this.#socket = socket;
    this.#onEnd = onEnd;
    for (const action of this.#waiting.splice(0)) action();
  }

  /** Calls back when the bytes are on their way; those for a process that has ended are dropped. */
  write(chunk: Buffer, done: () => void): void {
    this.#whenOpen(() => {
      if (!this.#socket || this.#socket.destroyed) return done();
      this.#socket.write(chunk, () => done());
    });
  }

  /** The process reads an end of file after all that was written. */
  end(): void {
    this.#whenOpen(() => {
      if (!this.#socket || this.#socket.destroyed) return;
      const socket = this.#socket;
      this.#socket = undefined;
      // Not `end`: it would shut down the FIFO as if it were a socket, over and over.
      socket.write(Buffer.alloc(0), () => {
        socket.destroy();
        this.#onEnd?.();
      });
    });
  }

  /** The process is gone. */
  close(): void {
    this.#closed = true;
    this.#socket = undefined;
    for (const action of this.#waiting.splice(0)) action();
  }

  #whenOpen(action: () => void): void {
    if (this.#closed || this.#onEnd) action();
    else this.#waiting.push(action);
  }
}
