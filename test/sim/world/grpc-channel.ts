import { type Channel, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { Timer } from '../../../common/clock.ts';
import type { SimGrpc } from './grpc.ts';
import type { Line } from './network.ts';
import type { SimProcess } from './sim-process.ts';

type RawCall = ReturnType<Channel['createCall']>;
type Listener = Parameters<RawCall['start']>[1];
type Context = Parameters<RawCall['sendMessageWithContext']>[0];

export interface ChannelEnd {
  readonly host: string;
  readonly process: SimProcess;
  /** Written into the metadata of each call, as the real server does with the certificate. */
  readonly identify: (metadata: Metadata) => void;
}

/** A gRPC channel over the simulated network; each call is a connection of its own. */
export class SimChannel {
  readonly #grpc: SimGrpc;
  readonly #end: ChannelEnd;
  readonly #target: string;

  constructor(grpc: SimGrpc, end: ChannelEnd, target: string) {
    this.#grpc = grpc;
    this.#end = end;
    this.#target = target;
  }

  /** As in grpc-js: calls that are under way go on. */
  close(): void {}

  getTarget(): string {
    return this.#target;
  }

  createCall(method: string, deadline: Date | number): RawCall {
    const init = { target: this.#target, method, deadline: Number(deadline) };
    return new SimCall(this.#grpc, this.#end, init) as unknown as RawCall;
  }
}

interface CallInit {
  readonly target: string;
  readonly method: string;
  /** By the clock of the client's process. */
  readonly deadline: number;
}

/** The client's end of one call. */
export class SimCall {
  readonly method: string;
  readonly #grpc: SimGrpc;
  readonly #end: ChannelEnd;
  readonly #init: CallInit;
  readonly #received: Buffer[] = [];
  #line: Line | undefined;
  #listener: Listener | undefined;
  #reads = 0;
  #status: StatusObject | undefined;
  #finished = false;
  #deadline: Timer | undefined;

  constructor(grpc: SimGrpc, end: ChannelEnd, init: CallInit) {
    this.method = init.method;
    this.#grpc = grpc;
    this.#end = end;
    this.#init = init;
  }

  start(metadata: Metadata, listener: Listener): void {
    this.#listener = listener;
    const { target, deadline } = this.#init;
    const sent = metadata.clone();
    this.#end.identify(sent);
    this.#line = this.#grpc.open(this.#end, target, this, sent);
    if (Number.isFinite(deadline)) {
      const { clock } = this.#end.process;
      this.#deadline = clock.setTimer(Math.max(0, deadline - clock.now()), () =>
        this.cancelWithStatus(status.DEADLINE_EXCEEDED, 'Deadline exceeded'),
      );
    }
  }

  sendMessageWithContext(context: Context, message: Buffer): void {
    if (!this.#line || this.#finished) return;
    this.#grpc.toServer(this.#line, this, { kind: 'message', message }, () =>
      process.nextTick(() => context.callback?.()),
    );
  }

  halfClose(): void {
    if (this.#line && !this.#finished) this.#grpc.toServer(this.#line, this, { kind: 'end' });
  }

  cancelWithStatus(code: status, details: string): void {
    if (this.#finished) return;
    if (this.#line) this.#grpc.toServer(this.#line, this, { kind: 'cancel' });
    this.#received.length = 0;
    // Not within the call of whoever cancels.
    process.nextTick(() => this.#finish({ code, details, metadata: new Metadata() }));
  }

  startRead(): void {
    this.#reads++;
    process.nextTick(() => this.#flush());
  }

  getPeer(): string {
    return this.#init.target;
  }

  get from(): string {
    return this.#end.host;
  }

  get to(): string {
    return this.#init.target;
  }

  getCallNumber(): number {
    return 0;
  }

  setCredentials(): void {}

  getAuthContext(): null {
    return null;
  }

  /** From the server. */
  onMessage(message: Buffer): void {
    if (this.#finished) return;
    this.#received.push(message);
    this.#flush();
  }

  onStatus(result: StatusObject): void {
    this.#status ??= result;
    this.#flush();
  }

  #flush(): void {
    while (this.#reads > 0 && this.#received.length > 0 && !this.#finished) {
      this.#reads--;
      this.#listener?.onReceiveMessage(this.#received.shift());
    }
    if (this.#status && this.#received.length === 0) this.#finish(this.#status);
  }

  #finish(result: StatusObject): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#deadline?.cancel();
    this.#listener?.onReceiveStatus(result);
  }
}
