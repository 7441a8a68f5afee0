import type { Random } from '../../../common/random.ts';
import type { SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** How one direction between two hosts behaves. */
export interface LinkQuality {
  /** Milliseconds, uniform between both. */
  readonly delay: readonly [number, number];
  /** Chances, for traffic that need not come in order (see `Packet.loose`). */
  readonly drop: number;
  readonly duplicate: number;
  readonly reorder: number;
}

export interface Packet {
  /** May be lost, doubled or overtaken; other packets come all, once and in order, or the line breaks. */
  readonly loose: boolean;
  readonly deliver: () => void;
  /** The sender's buffer has room again. */
  readonly sent?: (() => void) | undefined;
}

/** One end of a connection. Without a process it is the system of the host that answers. */
export interface LineEnd {
  readonly host: string;
  readonly process?: SimProcess;
  /** The line is gone. */
  readonly broken: () => void;
}

/** After so long without an answer a connection counts as dead: the keepalive of the real one. */
const KEEPALIVE_MS = 6_000;
const REORDER_MS = 40;

export const GOOD_LINK: LinkQuality = { delay: [0.1, 0.6], drop: 0, duplicate: 0, reorder: 0 };

/** Hosts and what lies between them. Every direction between two hosts can be cut by itself. */
export class SimNetwork {
  readonly world: World;
  readonly #random: Random;
  readonly #blocked = new Set<string>();
  readonly #lines = new Set<Line>();
  readonly #off = new Set<string>();
  quality: LinkQuality = GOOD_LINK;

  constructor(components: { readonly world: World }) {
    this.world = components.world;
    this.#random = this.world.random();
  }

  connect(from: LineEnd, toHost: string): Line {
    const line = new Line(this, this.#random, from, toHost);
    this.#lines.add(line);
    return line;
  }

  /** Closes the lines that `acceptor` has accepted, as if its process had ended. */
  hangUp(acceptor: object): void {
    for (const line of [...this.#lines]) if (line.acceptor === acceptor) line.hangUp(1);
  }

  forget(line: Line): void {
    this.#lines.delete(line);
  }

  /** Cuts what goes from one host to another, in this direction. */
  block(from: string, to: string): void {
    const key = `${from}>${to}`;
    if (this.#blocked.has(key)) return;
    this.#blocked.add(key);
    this.world.schedule(KEEPALIVE_MS, () => {
      if (!this.#blocked.has(key)) return;
      for (const line of [...this.#lines]) if (line.uses(from, to)) line.break();
    });
  }

  unblock(from: string, to: string): void {
    if (!this.#blocked.delete(`${from}>${to}`)) return;
    for (const line of [...this.#lines]) line.resume();
  }

  heal(): void {
    this.#blocked.clear();
    for (const line of [...this.#lines]) line.resume();
  }

  /** A host without power says nothing any more, not even that nobody listens. */
  setPower(host: string, on: boolean): void {
    if (on) this.#off.delete(host);
    else this.#off.add(host);
  }

  isOn(host: string): boolean {
    return !this.#off.has(host);
  }

  isOpen(from: string, to: string): boolean {
    return from === to || !this.#blocked.has(`${from}>${to}`);
  }

  delay(from: string, to: string): number {
    if (from === to) return 0.02;
    const [low, high] = this.quality.delay;
    return low + this.#random.float() * (high - low);
  }
}

/** One connection: two directions, each in order. */
export class Line {
  readonly #network: SimNetwork;
  readonly #random: Random;
  readonly #ends: [LineEnd, LineEnd];
  readonly #stalled: [Packet[], Packet[]] = [[], []];
  readonly #lastAt = [0, 0];
  readonly #unlisten: (() => void)[] = [];
  #broken = false;
  /** What accepted it at the far end. */
  acceptor: object | undefined;

  constructor(network: SimNetwork, random: Random, from: LineEnd, toHost: string) {
    this.#network = network;
    this.#random = random;
    this.#ends = [from, { host: toHost, broken: () => undefined }];
    this.#follow(0);
  }

  /** A process at the far end takes the call. */
  accept(acceptor: { readonly process: SimProcess }, broken: () => void): void {
    const { process } = acceptor;
    this.acceptor = acceptor;
    this.#ends[1] = { ...this.#ends[1], process, broken };
    this.#follow(1);
  }

  uses(from: string, to: string): boolean {
    const [a, b] = this.#ends;
    return (a.host === from && b.host === to) || (a.host === to && b.host === from);
  }

  /** From the end with this number to the other one. */
  send(from: 0 | 1, packet: Packet): void {
    if (this.#broken) return;
    if (!this.#isOpen(from) || this.#stalled[from].length > 0) this.#stalled[from].push(packet);
    else this.#transmit(from, packet);
  }

  /** What waited for the cut to end goes on its way. */
  resume(): void {
    for (const from of [0, 1] as const) {
      if (!this.#isOpen(from)) continue;
      for (const packet of this.#stalled[from].splice(0)) this.#transmit(from, packet);
    }
  }

  /** Closes it without telling anybody: both know. */
  close(): void {
    this.#broken = true;
    this.#network.forget(this);
    for (const unlisten of this.#unlisten) unlisten();
  }

  break(): void {
    if (this.#broken) return;
    this.close();
    for (const end of this.#ends) at(end, end.broken);
  }

  /**
   * One end closes it: its process, or when that has ended the system of its host, which tells the
   * other end unless power is gone.
   */
  hangUp(gone: 0 | 1): void {
    const [end, other] = [this.#ends[gone]!, this.#ends[1 - gone]!];
    const { world } = this.#network;
    const said = this.#network.isOn(end.host) && this.#network.isOpen(end.host, other.host);
    const delay = said ? this.#network.delay(end.host, other.host) : KEEPALIVE_MS;
    this.close();
    at(end, end.broken);
    world.schedule(delay, () => at(other, other.broken));
  }

  #follow(end: 0 | 1): void {
    const unlisten = this.#ends[end].process?.onEnd(() => this.hangUp(end));
    if (unlisten) this.#unlisten.push(unlisten);
  }

  #isOpen(from: 0 | 1): boolean {
    return this.#network.isOpen(this.#ends[from].host, this.#ends[1 - from]!.host);
  }

  #transmit(from: 0 | 1, packet: Packet): void {
    packet.sent?.();
    const { quality } = this.#network;
    const isLoose = packet.loose && this.#ends[0].host !== this.#ends[1].host;
    if (isLoose && this.#random.float() < quality.drop) return;
    if (isLoose && this.#random.float() < quality.duplicate) this.#deliver(from, packet, false);
    this.#deliver(from, packet, !isLoose || this.#random.float() >= quality.reorder);
  }

  #deliver(from: 0 | 1, packet: Packet, inOrder: boolean): void {
    const { world } = this.#network;
    const [source, target] = [this.#ends[from], this.#ends[1 - from]!];
    const delay = this.#network.delay(source.host, target.host);
    const extra = inOrder ? 0 : this.#random.float() * REORDER_MS;
    const arrival = Math.max(world.time + delay + extra, inOrder ? this.#lastAt[from]! : 0);
    if (inOrder) this.#lastAt[from] = arrival;
    world.schedule(arrival - world.time, () => {
      if (!this.#broken) at(this.#ends[1 - from]!, packet.deliver);
    });
  }
}

function at({ process }: LineEnd, run: () => void): void {
  if (process) process.deliver(run);
  else run();
}
