import type { Message } from 'raft-ts';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { RaftSnapshotChunk } from '../../proto/gen/swarm/raft.ts';
import type { Dialer, Place } from './dial.ts';
import type { SnapshotManifest } from './log-records.ts';
import type { LogTail } from './log-tail.ts';
import { type Between, type ReceivedSnapshot, receiveSnapshot } from './snapshot-receiver.ts';
import { sendSnapshot } from './snapshot-sender.ts';
import type { SnapshotStore } from './snapshot-store.ts';

export interface SnapshotExchangeComponents extends Dialer {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tail: LogTail;
  readonly snapshots: SnapshotStore;
}

export interface SnapshotExchangeInit {
  readonly selfAddr: string;
  readonly placeOf: (raftId: number) => Place | undefined;
  /** How a transfer went; exactly once for each. */
  readonly report: (raftId: number, ok: boolean) => void;
  /** Hands the message to the core and has it handled at once. */
  readonly step: (message: Message) => void;
  readonly signal: AbortSignal;
}

/** Snapshots on their way between managers. */
export class SnapshotExchange {
  readonly #components: SnapshotExchangeComponents;
  readonly #init: SnapshotExchangeInit;
  readonly #sending = new Map<number, number>();
  /** Complete on disk, and not yet taken by the core or refused. */
  readonly #received = new Map<string, ReceivedSnapshot>();
  /** On their way to the state machine, in order. */
  readonly #adopted: ReceivedSnapshot[] = [];

  constructor(components: SnapshotExchangeComponents, init: SnapshotExchangeInit) {
    this.#components = components;
    this.#init = init;
  }

  /** The lowest index of a snapshot on its way: its receiver will need the entries behind it. */
  get lowestIndex(): number {
    return Math.min(...this.#sending.values());
  }

  /** Sends the data of a MsgSnap, beside everything else. */
  send(message: Message): void {
    const { tail, snapshots, logger } = this.#components;
    const { to, snapshot } = message;
    const manifest = tail.manifest;
    const place = this.#init.placeOf(to);
    if (this.#sending.has(to)) return;
    if (!place || !manifest || manifest.index !== snapshot?.metadata.index) {
      this.#init.report(to, false);
      return;
    }
    this.#sending.set(to, manifest.index);
    const held = snapshots.hold(manifest.id);
    const fields = { to, index: manifest.index, bytes: manifest.bytes };
    logger.info(fields, 'sending snapshot');
    this.#transfer(message, manifest, place)
      .then(
        () => true,
        (err) => {
          logger.warn({ ...fields, err }, 'sending a snapshot failed');
          return false;
        },
      )
      .then((ok) => {
        this.#sending.delete(to);
        held.release();
        this.#init.report(to, ok);
        return snapshots.collect(tail.manifest?.id ?? '');
      })
      .catch((err) => logger.debug({ err }, 'old snapshot data stay for now'));
  }

  /** Resolves once the core has decided about the snapshot. */
  async receive(
    between: Between,
    stream: AsyncIterable<RaftSnapshotChunk>,
    cancel: () => void,
  ): Promise<void> {
    const received = await receiveSnapshot(this.#components, between, stream, cancel);
    const key = keyOf(received.message);
    this.#received.get(key)?.held.release();
    this.#received.set(key, received);
    this.#init.step(received.message);
    if (this.#received.get(key) !== received) return;
    this.#received.delete(key);
    received.held.release();
  }

  /** The core makes this snapshot the start of its log. Its data are held until it `isInUse`. */
  adopt(message: Message): SnapshotManifest {
    const key = keyOf(message);
    const received = this.#received.get(key);
    if (!received) throw new Error(`The core wants snapshot ${key}, which never came.`);
    this.#received.delete(key);
    this.#adopted.push(received);
    return received.manifest;
  }

  isInUse(manifest: SnapshotManifest): void {
    const position = this.#adopted.findIndex((each) => each.manifest === manifest);
    for (const { held } of this.#adopted.splice(0, position + 1)) held.release();
  }

  #transfer(message: Message, manifest: SnapshotManifest, place: Place): Promise<void> {
    const { selfAddr, signal } = this.#init;
    const chunks = this.#components.snapshots.chunks(manifest);
    const transfer = { place, fromAddr: selfAddr, message, chunks };
    return sendSnapshot(this.#components, transfer, signal);
  }
}

function keyOf({ snapshot }: Message): string {
  return `${snapshot?.metadata.term}/${snapshot?.metadata.index}`;
}
