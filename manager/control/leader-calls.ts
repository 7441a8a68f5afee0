import type { Client, ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { errorOfCode, fromServiceError, neverConnected } from '../../common/grpc-errors.ts';
import {
  type ControlService,
  ControlStreamService,
  type ForwardedAnswer,
  type ForwardedAnswers,
  type ForwardedCall,
  type ForwardedCalls,
} from '../../proto/gen/swarm/control.ts';
import { TurnBatch } from './turn-batch.ts';

const TIMEOUT_MS = 20_000;
/** What a leader has, when it seems to lead no more, to answer what it was asked before. */
const GRACE_MS = 1_000;

export interface LeaderCallsComponents {
  readonly clock: Clock;
  /** A connection to the leader. Throws SWM_NO_LEADER. */
  readonly leader: () => Client;
}

export interface Answer {
  readonly response: Buffer;
  /** What this manager's store must have applied to show what was written. */
  readonly appliedIndex: number;
}

/** Calls of the leader's control operations, over one stream for as long as the leader is the same. */
export class LeaderCalls {
  readonly #components: LeaderCallsComponents;
  #stream: CallStream | undefined;

  constructor(components: LeaderCallsComponents) {
    this.#components = components;
  }

  /** Rejects with what the leader answered, or with SWM_UNAVAILABLE, SWM_TIMEOUT or SWM_NO_LEADER. */
  async call(method: keyof ControlService, request: Buffer): Promise<Answer> {
    const client = this.#components.leader();
    if (this.#stream?.client !== client || this.#stream.ended) {
      this.#stream?.retire();
      this.#stream = new CallStream(this.#components.clock, client);
    }
    return this.#stream.call(method, request);
  }

  /** To be called when another one may lead: who waits for an old leader does not do so for long. */
  follow(): void {
    if (!this.#stream || this.#stream.client === this.#leader()) return;
    this.#stream.retire();
    this.#stream = undefined;
  }

  /** Calls under way are rejected. */
  close(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }

  /** Undefined when there is none to be asked. */
  #leader(): Client | undefined {
    try {
      return this.#components.leader();
    } catch {
      return undefined;
    }
  }
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

class CallStream {
  readonly client: Client;
  readonly #clock: Clock;
  readonly #stream: ClientDuplexStream<ForwardedCalls, ForwardedAnswers>;
  readonly #pending = new Map<number, Pending>();
  readonly #batch = new TurnBatch<ForwardedCall>({
    send: (calls) => this.#send(calls),
    size: ({ request }) => request.length,
  });
  #lastId = 0;
  #retired: Timer | undefined;
  #ended = false;

  constructor(clock: Clock, client: Client) {
    this.#clock = clock;
    this.client = client;
    const { path, requestSerialize, responseDeserialize } = ControlStreamService.forward;
    this.#stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#stream.on('data', ({ answers }: ForwardedAnswers) => {
      for (const answer of answers) this.#settle(answer);
    });
    this.#stream.on('error', (error) => this.#fail(reasonOf(error)));
    this.#stream.on('end', () => this.#fail(broken()));
  }

  get ended(): boolean {
    return this.#ended;
  }

  call(method: string, request: Buffer): Promise<Answer> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(TIMEOUT_MS, () => this.#take(id)?.reject(timedOut()));
      this.#pending.set(id, { resolve, reject, timer });
      this.#batch.add({ id, method, request });
    });
  }

  /** Takes no further calls, and ends when those under way are answered, or soon. */
  retire(): void {
    this.#retired ??= this.#clock.setTimer(GRACE_MS, () => this.close());
    if (this.#pending.size > 0) return;
    this.#retired.cancel();
    this.#stream.end();
  }

  close(): void {
    this.#fail(broken());
    this.#stream.cancel();
  }

  #send(calls: readonly ForwardedCall[]): void {
    if (!this.#ended) this.#stream.write({ calls });
  }

  #settle({ id, outcome, appliedIndex }: ForwardedAnswer): void {
    const pending = this.#take(id);
    if (outcome?.$case === 'response') {
      pending?.resolve({ response: outcome.response, appliedIndex });
    } else {
      const { code = '', message = 'the leader gave no answer', hint = '' } = outcome?.error ?? {};
      pending?.reject(errorOfCode(code, message, hint));
    }
    if (this.#retired) this.retire();
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.timer.cancel();
    return pending;
  }

  #fail(error: Error): void {
    this.#ended = true;
    this.#retired?.cancel();
    for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(error);
  }
}

/** Of a stream that never stood, all is known; of one that ended without a word of the leader, nothing. */
function reasonOf(error: unknown): SwarmError {
  const reason = fromServiceError(error);
  return reason.code !== 'SWM_UNAVAILABLE' || neverConnected(reason) ? reason : broken();
}

function broken(): SwarmError {
  return new SwarmError(
    'SWM_UNAVAILABLE',
    'the connection to the leader ended before it answered; whether it did what was asked is not known',
  );
}

function timedOut(): SwarmError {
  return new SwarmError(
    'SWM_TIMEOUT',
    `the leader did not answer within ${TIMEOUT_MS / 1000} s; whether it did what was asked is not known`,
  );
}
