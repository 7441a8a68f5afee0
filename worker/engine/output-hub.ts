import type { LogLine } from './types.ts';

/** Takes a process's output; false asks to be spared until `drained` resolves. */
export interface OutputSink {
  accept(stream: LogLine['stream'], chunk: Buffer): boolean;
  drained(): Promise<void>;
  /** The process has ended and everything was taken. */
  finish(): void;
}

/** A source that can be told to wait. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** Hands a process's output to the log and to every attached client; the slowest sets the pace. */
export class OutputHub {
  readonly #sinks = new Set<OutputSink>();
  #flow: Flow | undefined;
  #blocked = 0;

  /** What to hold back while a sink is behind. */
  setFlow(flow: Flow): void {
    this.#flow = flow;
    this.#blocked = 0;
  }

  add(sink: OutputSink): void {
    this.#sinks.add(sink);
  }

  delete(sink: OutputSink): void {
    this.#sinks.delete(sink);
  }

  push(stream: LogLine['stream'], chunk: Buffer): void {
    for (const sink of this.#sinks) if (!sink.accept(stream, chunk)) this.#hold(sink);
  }

  end(): void {
    for (const sink of this.#sinks) sink.finish();
    this.#sinks.clear();
  }

  #hold(sink: OutputSink): void {
    const flow = this.#flow;
    if (this.#blocked++ === 0) flow?.pause();
    void sink.drained().then(() => {
      // Another process may have taken this one's place meanwhile.
      if (flow === this.#flow && --this.#blocked === 0) flow?.resume();
    });
  }
}
