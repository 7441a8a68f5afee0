import { SwarmError } from '../../common/errors.ts';
import type {
  LogMessage,
  LogSelector,
  SubscribeLogsRequest,
  SubscriptionMessage,
} from '../../proto/gen/swarm/logs.ts';
import { LineQueue } from './line-queue.ts';

/** Batches of lines, from all nodes together, that wait for a slow client. */
const QUEUE_CAPACITY = 64;

/** One client's wish to read logs, and how far the nodes are with it. */
export class Subscription {
  readonly id: string;
  readonly request: SubscribeLogsRequest;
  readonly lines = new LineQueue<readonly LogMessage[]>({ capacity: QUEUE_CAPACITY });
  /** Nodes that were asked, and whether they have sent all they have. */
  readonly #nodes = new Map<string, boolean>();
  readonly #reasons: string[] = [];
  /** The time of the last line of each node, where to go on after an interruption. */
  readonly #heard = new Map<string, Date>();

  constructor(id: string, request: SubscribeLogsRequest) {
    this.id = id;
    this.request = request;
  }

  get follow(): boolean {
    return this.request.options?.follow ?? false;
  }

  get selector(): LogSelector {
    return this.request.selector ?? { serviceIds: [], nodeIds: [], taskIds: [] };
  }

  get nodeIds(): Iterable<string> {
    return this.#nodes.keys();
  }

  concerns(nodeId: string): boolean {
    return this.#nodes.has(nodeId);
  }

  /** False when the node was asked before. */
  ask(nodeId: string): boolean {
    if (this.#nodes.has(nodeId)) return false;
    this.#nodes.set(nodeId, false);
    return true;
  }

  /** The node will send no more, all of it or, with a reason, not. */
  done(nodeId: string, reason?: string): void {
    if (this.#nodes.get(nodeId) !== false) return;
    this.#nodes.set(nodeId, true);
    if (reason) this.#reasons.push(reason);
    this.endIfComplete();
  }

  /** Something that was selected will not be heard of. */
  lacks(reason: string): void {
    this.#reasons.push(reason);
  }

  /** Unless it is to go on for ever, the subscription ends with the last node. */
  endIfComplete(): void {
    if (this.follow || [...this.#nodes.values()].includes(false)) return;
    this.lines.close(this.#reasons.length > 0 ? incomplete(this.#reasons) : undefined);
  }

  /** Queues lines of a node; waits while the client is behind. */
  async add(nodeId: string, messages: readonly LogMessage[]): Promise<void> {
    const last = messages.at(-1)?.timestamp;
    if (last) this.#heard.set(nodeId, last);
    if (messages.length > 0) await this.lines.push(messages);
  }

  /** What the node is told; one that was interrupted is not to begin from the beginning. */
  message(nodeId: string, close = false): SubscriptionMessage {
    const heard = this.#heard.get(nodeId);
    const options = this.request.options;
    const rest = heard && options && { tail: 0, since: new Date(heard.getTime() + 1) };
    return {
      id: this.id,
      selector: this.selector,
      options: options && { ...options, ...rest },
      close,
    };
  }
}

function incomplete(reasons: readonly string[]): SwarmError {
  return new SwarmError(
    'SWM_UNAVAILABLE',
    'warning: incomplete log stream. some logs could not be retrieved for the following reasons: ' +
      reasons.join(', '),
  );
}
