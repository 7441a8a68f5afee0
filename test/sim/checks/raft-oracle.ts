import { crc32 } from 'node:zlib';
import { type Entry, type HardState, type Message, MessageType } from 'raft-ts';
import type { Consensus } from '../../../manager/consensus/consensus.ts';
import { decodePack } from '../../../manager/consensus/entry-pack.ts';
import {
  fromJson,
  HARD_STATE_KEY,
  MANIFEST_KEY,
  PACKS,
} from '../../../manager/consensus/log-records.ts';
import { type KeyRing, Vault } from '../../../manager/consensus/vault.ts';
import type { ManagerLife } from '../cluster/manager-life.ts';
import type { SimManager } from '../cluster/sim-manager.ts';
import { Violation, type World } from '../world/world.ts';

interface Seen {
  term: number;
  commitIndex: number;
  appliedIndex: number;
}

const FROM_LEADERS: ReadonlySet<MessageType> = new Set([
  MessageType.App,
  MessageType.Heartbeat,
  MessageType.Snap,
  MessageType.TimeoutNow,
]);

/**
 * Sees every message between managers, every entry that is applied and every disk, and objects to what
 * Raft promises never to happen (Raft paper, figure 3; the invariants of the TLA+ specification):
 * two leaders of a term, two entries of one index and term, a leader without a committed entry,
 * two votes of one voter in a term, different entries applied at one index, a commit index that goes back, and a promise (a vote, an
 * acknowledgement) that is not on the disk of whoever gives it.
 */
export class RaftOracle {
  readonly #world: World;
  readonly #leaders = new Map<number, number>();
  /** `voter/term` to the candidate. */
  readonly #votesCast = new Map<string, number>();
  /** `index/term` to the entry's checksum, and the term before it. */
  readonly #entries = new Map<string, number>();
  readonly #prevTerms = new Map<string, number>();
  /** By index. */
  readonly #applied = new Map<number, number>();
  /** The highest index that was applied by anybody whose term was this. */
  readonly #appliedInTerm = new Map<number, number>();
  /** From its disk a log begins again where that is. */
  readonly #seen = new WeakMap<Consensus, Seen>();
  readonly #vaults = new WeakMap<KeyRing, Vault>();
  elections = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The number of entries that were applied anywhere. */
  get entries(): number {
    return this.#applied.size;
  }

  sent(from: SimManager, message: Message): void {
    const { term, type } = message;
    if (FROM_LEADERS.has(type)) this.#leads(term, message.from);
    if (type === MessageType.App) this.#matches(message.index, message.logTerm, message.entries);
    if (message.reject) return;
    if (type === MessageType.VoteResp) this.#votes(message);
    if (type === MessageType.AppResp || type === MessageType.VoteResp) {
      this.#isDurable(from, message);
    }
  }

  applied(life: ManagerLife, index: number, data: Uint8Array): void {
    const sum = crc32(data);
    const before = this.#applied.get(index);
    if (before === undefined) this.#applied.set(index, sum);
    else if (before !== sum) {
      this.#fail(`${life.host.name} applied another entry at ${index} than others did`);
    }
    const { term } = this.#term(life);
    this.#appliedInTerm.set(term, Math.max(this.#appliedInTerm.get(term) ?? 0, index));
  }

  /** It says that it leads, and has applied all of earlier terms. */
  elected(life: ManagerLife): void {
    const { consensus } = life;
    if (!consensus) return;
    const { term, appliedIndex } = consensus.stats();
    this.elections++;
    for (const [earlier, index] of this.#appliedInTerm) {
      if (earlier < term && index > appliedIndex) {
        this.#fail(
          `${life.host.name} leads in term ${term} with ${appliedIndex} applied, but ${index} was in term ${earlier}`,
        );
      }
    }
  }

  /** After something happened to the process. */
  inspect(life: ManagerLife): void {
    const { consensus } = life;
    if (!consensus || life.process.ended) return;
    consensus.assertInvariants();
    const { term, commitIndex, appliedIndex, lastIndex, firstIndex } = consensus.stats();
    const seen = this.#seen.get(consensus) ?? { term: 0, commitIndex: 0, appliedIndex: 0 };
    const { name } = life.host;
    if (term < seen.term) this.#fail(`${name}: term ${seen.term} went back to ${term}`);
    if (commitIndex < seen.commitIndex) {
      this.#fail(`${name}: commit ${seen.commitIndex} went back to ${commitIndex}`);
    }
    if (appliedIndex < seen.appliedIndex) {
      this.#fail(`${name}: applied ${seen.appliedIndex} went back to ${appliedIndex}`);
    }
    if (appliedIndex > commitIndex) {
      this.#fail(`${name}: applied ${appliedIndex}, but only ${commitIndex} is committed`);
    }
    if (commitIndex > lastIndex || firstIndex > commitIndex + 1) {
      this.#fail(`${name}: log ${firstIndex}..${lastIndex}, commit ${commitIndex}`);
    }
    this.#seen.set(consensus, { term, commitIndex, appliedIndex });
  }

  #term(life: ManagerLife): { term: number } {
    return life.consensus?.stats() ?? { term: 0 };
  }

  #leads(term: number, raftId: number): void {
    const leader = this.#leaders.get(term);
    if (leader === undefined) this.#leaders.set(term, raftId);
    else if (leader !== raftId) this.#fail(`${leader} and ${raftId} both lead in term ${term}`);
  }

  #votes({ from, term, to }: Message): void {
    const key = `${from}/${term}`;
    const other = this.#votesCast.get(key) ?? to;
    if (other !== to) this.#fail(`${from} voted for ${other} and for ${to} in term ${term}`);
    this.#votesCast.set(key, to);
  }

  #matches(prevIndex: number, prevTerm: number, entries: readonly Entry[]): void {
    let before = prevTerm;
    for (const { index, term, type, data } of entries) {
      const key = `${index}/${term}`;
      const sum = crc32(data ?? new Uint8Array(), type);
      const [known, knownBefore] = [this.#entries.get(key), this.#prevTerms.get(key)];
      if (known !== undefined && (known !== sum || knownBefore !== before)) {
        this.#fail(`two different entries have index ${index} and term ${term}`);
      }
      if (index <= prevIndex) this.#fail(`entry ${index} was sent as one after ${prevIndex}`);
      this.#entries.set(key, sum);
      this.#prevTerms.set(key, before);
      before = term;
    }
  }

  /** Within a term nothing that was acknowledged is taken back, so the disk must have it still. */
  #isDurable(from: SimManager, { term, type, to, index }: Message): void {
    const hard = this.#hardState(from);
    if (!hard || hard.term < term) {
      this.#fail(`${from.name} spoke for term ${term}, but its disk has ${hard?.term}`);
    } else if (hard.term === term && type === MessageType.VoteResp && hard.vote !== to) {
      this.#fail(`${from.name} gave ${to} a vote that its disk does not have`);
    } else if (hard.term === term && type === MessageType.AppResp) {
      const last = this.#lastIndex(from);
      if (last < index) {
        this.#fail(`${from.name} acknowledged entry ${index}, but its disk ends at ${last}`);
      }
    }
  }

  #hardState(host: SimManager): HardState | undefined {
    const sealed = host.disk.durable(HARD_STATE_KEY);
    return sealed && this.#opened(host, HARD_STATE_KEY, sealed, fromJson<HardState>);
  }

  #lastIndex(host: SimManager): number {
    const { disk } = host;
    const pack = disk.lastDurableKey(PACKS);
    const manifest = disk.durable(MANIFEST_KEY);
    const snapshot = manifest
      ? this.#opened(host, MANIFEST_KEY, manifest, fromJson<{ index: number }>).index
      : 0;
    if (!pack) return snapshot;
    const { entries } = this.#opened(host, pack, disk.durable(pack)!, decodePack);
    return Math.max(snapshot, entries.at(-1)!.index);
  }

  readonly #opening = new WeakMap<Buffer, unknown>();

  #opened<T>(host: SimManager, key: string, sealed: Buffer, decode: (plain: Buffer) => T): T {
    if (!this.#opening.has(sealed)) {
      this.#opening.set(sealed, decode(this.#vaultOf(host).open(key, sealed)));
    }
    return this.#opening.get(sealed) as T;
  }

  #vaultOf({ life }: SimManager): Vault {
    const keys = life!.log!.keys;
    let vault = this.#vaults.get(keys);
    if (!vault) {
      vault = new Vault({ keys, random: this.#world.random() });
      this.#vaults.set(keys, vault);
    }
    return vault;
  }

  #fail(message: string): void {
    this.#world.fail(new Violation(message));
  }
}
