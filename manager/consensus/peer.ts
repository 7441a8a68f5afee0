import { type Message, MessageType } from 'raft-ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { RaftMessage } from '../../proto/gen/swarm/raft.ts';
import type { Dialer, Place } from './dial.ts';
import { type ConnectionEnd, PeerConnection } from './peer-connection.ts';
import { toWire, wireSize } from './wire.ts';

export interface PeerComponents extends Dialer {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface PeerEvents {
  /** It became reachable, or stopped to be. */
  reachability(raftId: number): void;
  /** Messages to it were lost. */
  unreachable(raftId: number): void;
  /** Nobody listens at its address: it does not run. */
  refused(raftId: number): void;
  /** It says that this manager was removed. */
  removed(): void;
}

export interface PeerInit {
  readonly raftId: number;
  readonly nodeId: string;
  readonly addr: string;
  readonly self: { readonly raftId: number; readonly addr: string };
  readonly events: PeerEvents;
}

const QUEUE_MAX = 4096;
const BATCH_BYTES = 1024 * 1024;
/** How long the news of a commit waits for an append to travel with, while entries are under way. */
const COMMIT_DELAY_MS = 2;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 1000;

/**
 * The messages to one peer, over one stream that is made again whenever it ends. The messages of one
 * event loop turn leave together. Nothing is kept for a peer that is away: Raft repeats itself.
 */
export class Peer {
  readonly raftId: number;
  readonly #components: PeerComponents;
  readonly #init: PeerInit;
  #nodeId: string;
  #addr: string;
  #connection: PeerConnection | undefined;
  #up = false;
  #blocked = false;
  #queue: RaftMessage[] = [];
  #queueSizes: number[] = [];
  /** An append without entries. Under load the next append has its news, and it need not be sent. */
  #commit: Message | undefined;
  #commitTimer: Timer | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #closed = false;

  constructor(components: PeerComponents, init: PeerInit) {
    this.raftId = init.raftId;
    this.#components = components;
    this.#init = init;
    this.#nodeId = init.nodeId;
    this.#addr = init.addr;
    this.#connect();
  }

  /** Whether the stream to it stands. */
  get up(): boolean {
    return this.#up;
  }

  get addr(): string {
    return this.#addr;
  }

  get nodeId(): string {
    return this.#nodeId;
  }

  /** Goes to the new place at once. */
  moveTo({ nodeId, addr }: Place): void {
    if (this.#closed || (nodeId === this.#nodeId && addr === this.#addr)) return;
    this.#nodeId = nodeId;
    this.#addr = addr;
    this.#drop();
    this.#connect();
  }

  /** There is a sign of life of it: if it waits to connect again, it need not wait any longer. */
  wake(): void {
    if (!this.#retry) return;
    this.#retry.cancel();
    this.#connect();
  }

  /** Queues a message for the next `flush`. */
  send(message: Message): void {
    if (!this.#connection || this.#queue.length >= QUEUE_MAX) {
      this.#init.events.unreachable(this.raftId);
      return;
    }
    const isAppend = message.type === MessageType.App;
    if (isAppend && this.#commit && includes(message, this.#commit)) this.#commit = undefined;
    this.#releaseCommit();
    if (isAppend && message.entries.length === 0 && isBehind(message)) this.#holdCommit(message);
    else this.#push(message);
  }

  flush(): void {
    while (this.#up && !this.#blocked && this.#queue.length > 0) {
      const count = this.#batchLength();
      this.#queueSizes.splice(0, count);
      this.#blocked = !this.#connection!.write(this.#queue.splice(0, count));
    }
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #push(message: Message): void {
    this.#queue.push(toWire(message));
    this.#queueSizes.push(wireSize(message));
  }

  #holdCommit(message: Message): void {
    this.#commit = message;
    this.#commitTimer ??= this.#components.clock.setTimer(COMMIT_DELAY_MS, () => {
      this.#commitTimer = undefined;
      this.#releaseCommit();
      this.flush();
    });
  }

  #releaseCommit(): void {
    if (this.#commit) this.#push(this.#commit);
    this.#commit = undefined;
  }

  #batchLength(): number {
    let bytes = 0;
    const over = this.#queueSizes.findIndex((size) => {
      bytes += size;
      return bytes > BATCH_BYTES;
    });
    return over < 0 ? this.#queue.length : Math.max(1, over);
  }

  #connect(): void {
    this.#retry = undefined;
    const { self } = this.#init;
    const init = {
      place: { nodeId: this.#nodeId, addr: this.#addr },
      from: self.raftId,
      to: this.raftId,
      fromAddr: self.addr,
    };
    this.#connection = new PeerConnection(this.#components, init, {
      up: () => {
        this.#up = true;
        this.#failures = 0;
        this.#init.events.reachability(this.raftId);
        this.flush();
      },
      drain: () => {
        this.#blocked = false;
        this.flush();
      },
      end: (reason, error) => this.#onEnd(reason, error),
    });
  }

  #onEnd(reason: ConnectionEnd, error: Error): void {
    const { logger, clock, random } = this.#components;
    const { events } = this.#init;
    logger.debug({ peer: this.raftId, addr: this.#addr, err: error }, 'raft stream ended');
    const wasUp = this.#up;
    this.#drop();
    events.unreachable(this.raftId);
    if (wasUp) events.reachability(this.raftId);
    if (reason === 'removed') events.removed();
    if (reason === 'refused') events.refused(this.raftId);
    if (this.#closed || reason === 'removed') return;
    // The first attempt after a loss is made at once: it tells a dead process from a lost connection.
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#failures);
    const delay = wasUp ? 0 : backoff * (0.5 + random.float() / 2);
    if (!wasUp) this.#failures++;
    this.#retry = clock.setTimer(delay, () => this.#connect());
  }

  #drop(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#commitTimer?.cancel();
    this.#commitTimer = undefined;
    this.#commit = undefined;
    this.#connection?.close();
    this.#connection = undefined;
    this.#up = false;
    this.#blocked = false;
    this.#queue = [];
    this.#queueSizes = [];
  }
}

/** Whether entries are under way that are not committed yet: their commit will be told as well. */
const isBehind = (append: Message): boolean => append.commit < append.index;

/** Whether `later` says all that `append` says, to a follower whose log agrees so far. */
function includes(later: Message, append: Message): boolean {
  return later.term === append.term && later.index >= append.index && later.commit >= append.commit;
}
