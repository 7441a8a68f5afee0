import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSwarmError } from '../../common/errors.ts';
import { type Random, randomInt } from '../../common/random.ts';
import { TestCluster, TestManager, until } from '../manager/consensus/harness.ts';
import type { Catalogue } from './catalogue.ts';
import { runToEnd } from './child.ts';
import { type Line, readJournal } from './journal.ts';
import type { KillPoint } from './kill-points.ts';
import { Ledger } from './ledger.ts';
import type { Life } from './manager-life.ts';
import { losePower } from './power-loss.ts';
import type { MemberTask } from './tasks.ts';

const CHILD = join(import.meta.dirname, `member-child${extname(import.meta.filename)}`);
const NODE_ID = 'victim';
const INIT = { tickMs: 30, snapshotPolicy: { interval: 25, keep: 5 } };
const PADDING = 300_000;
const OPERATIONS = 60;
const LIFE_MS = { low: 1, high: 1_200 };
const POWER_LOSS_SHARE = 0.35;
const LEADS_SHARE = 0.5;
const ROTATES_SHARE = 0.2;
/** One life in so many it is removed, and comes back as a new member without a log. */
const REPLACED_EVERY = 12;

/**
 * Three members, of which one is a process that is killed and comes back, again and again, while the
 * others go on: what it finds at a start is what it had said that it has, and in the end all three
 * have the same.
 */
export class GroupLives {
  readonly #dir: string;
  readonly #host: string;
  readonly #port: number;
  readonly #random: Random;
  readonly #catalogue: Catalogue;
  readonly #cluster: TestCluster;
  readonly #ledger = new Ledger();
  /** In all lives since it has this log. */
  readonly #synced = new Map<string, number>();
  #lives = 0;
  #lines = 0;
  #writes = 0;
  #join: MemberTask['init']['join'];
  #key = 1;
  #found: readonly string[] = [];

  static async create(
    components: { readonly random: Random; readonly catalogue: Catalogue },
    init: { dir: string; addr: string },
  ): Promise<GroupLives> {
    return new GroupLives(components, init, await TestCluster.create(2, INIT));
  }

  private constructor(
    components: { readonly random: Random; readonly catalogue: Catalogue },
    init: { dir: string; addr: string },
    cluster: TestCluster,
  ) {
    const [host, port] = init.addr.split(':') as [string, string];
    this.#random = components.random;
    this.#catalogue = components.catalogue;
    this.#dir = init.dir;
    this.#host = host;
    this.#port = Number(port);
    this.#cluster = cluster;
    for (const manager of cluster.managers) manager.machine.padding = PADDING;
    mkdirSync(init.dir, { recursive: true });
  }

  get acknowledged(): number {
    return this.#ledger.acknowledged;
  }

  /** Throws when a life finds what it must not find, or cannot begin. */
  async next(): Promise<Life> {
    if (this.#lives++ % REPLACED_EVERY === 0) await this.#replace();
    const point = this.#catalogue.choose(this.#random);
    const isTimed = point === undefined && !this.#catalogue.isEmpty;
    const lifeMs = isTimed ? randomInt(this.#random, LIFE_MS.low, LIFE_MS.high) : 0;
    const mark = existsSync(`${this.#log}.mark`) ? readFileSync(`${this.#log}.mark`) : undefined;
    const lines = await this.#live({ point, lifeMs });
    const ended = lines.some(({ type }) => type === 'end');
    const how = point ? `${point.stage} ${point.kind} #${point.nth}` : `after ${lifeMs} ms`;
    const end = ended ? 'end of work' : how;
    if (!existsSync(this.#log) || this.#random.float() >= POWER_LOSS_SHARE) {
      return { end, killed: !ended };
    }
    const lost = losePower(this.#log, { synced: this.#synced, mark }, this.#random);
    return { end: `${end}, power lost: ${lost}`, killed: !ended };
  }

  /** Lives to the end of its work, when all three have the same. */
  async last(): Promise<void> {
    const lines = await this.#live({ point: undefined, lifeMs: 0 });
    if (!lines.some(({ type }) => type === 'end')) throw new Error('its last life was cut short');
    const [first, second] = this.#cluster.managers.map(({ machine }) => machine.texts);
    await until(() => first?.length === second?.length, 'the others have the same');
    this.#checkOrder();
    this.#ledger.check(first ?? []);
    if (`${first}` !== `${second}`) throw new Error('the others differ');
  }

  stop(): Promise<void> {
    return this.#cluster.stop();
  }

  async #live(wanted: { point: KillPoint | undefined; lifeMs: number }): Promise<Line[]> {
    const rotates = this.#random.float() < ROTATES_SHARE;
    if (rotates) this.#key++;
    const untilText = `end-${this.#lives}-${this.#writes}`;
    const task: MemberTask = {
      ...wanted,
      untilText,
      nodeId: NODE_ID,
      dir: this.#log,
      journal: join(this.#dir, 'journal'),
      host: this.#host,
      port: this.#port,
      firstName: 1_000 * this.#lives,
      init: {
        ...INIT,
        padding: PADDING,
        ...(this.#join ? { join: this.#join } : {}),
        keys: Array.from({ length: this.#key }, (_, i) => this.#key - i),
        rotates,
      },
    };
    const path = join(this.#dir, 'task.json');
    writeFileSync(path, JSON.stringify(task));
    const over = new AbortController();
    const writing = this.#write(untilText, over.signal);
    const leading = this.#random.float() < LEADS_SHARE ? this.#handOver(over.signal) : undefined;
    try {
      await runToEnd(CHILD, path);
    } finally {
      over.abort();
    }
    await Promise.all([writing, leading]);
    return this.#judge();
  }

  /** By whichever of the two leads; the third one does so itself. */
  async #write(untilText: string, over: AbortSignal): Promise<void> {
    for (let n = 0; !over.aborted; n++) {
      const name = n >= OPERATIONS ? untilText : `p${this.#writes++}`;
      const done = await this.#propose(name, over);
      if (n >= OPERATIONS && done) return;
    }
  }

  async #propose(name: string, over: AbortSignal): Promise<boolean> {
    const leader = this.#leader();
    if (!leader) {
      await sleep(5);
      return false;
    }
    // An end may be asked for again, when nobody knows what became of the first.
    if (leader.machine.texts.includes(name)) return true;
    this.#ledger.take({ type: 'try', name, present: true });
    try {
      await leader.api.propose(Buffer.from(name)).committed;
      this.#ledger.take({ type: 'done', name, present: true });
      return true;
    } catch (error) {
      if (!isSwarmError(error, 'SWM_NOT_LEADER', 'SWM_UNAVAILABLE')) throw error;
      if (!over.aborted) await sleep(5);
      return false;
    }
  }

  /** To the third one, when it has come up: what it acknowledges itself counts, too. */
  async #handOver(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const victim = this.#leader()
        ?.api.members()
        .find(({ nodeId, reachable }) => nodeId === NODE_ID && reachable);
      if (victim) break;
      await sleep(10);
    }
    await this.#leader()
      ?.api.transferLeadership()
      .catch(() => undefined);
    // And back, so that the others write again.
    await sleep(200);
  }

  get #log(): string {
    return join(this.#dir, 'log');
  }

  #leader(): TestManager | undefined {
    return this.#cluster.managers.find(({ consensus }) => consensus?.isLeader);
  }

  #judge(): Line[] {
    const path = join(this.#dir, 'journal');
    const lines = existsSync(path) ? readJournal(path).slice(this.#lines) : [];
    this.#lines += lines.length;
    for (const line of lines) {
      if (line.type === 'failed') throw new Error(line.error);
      if (line.type === 'up') this.#found = line.found;
      if (line.type === 'synced') this.#synced.set(line.synced.file, line.synced.bytes);
      if (line.type === 'end') this.#catalogue.learn(line.counts);
      this.#ledger.take(line);
    }
    this.#checkOrder();
    return lines;
  }

  /** What it found when it came up is how the log of the others begins. */
  #checkOrder(): void {
    const longest = this.#cluster.managers
      .map(({ machine }) => machine.texts)
      .reduce((a, b) => (a.length > b.length ? a : b));
    const common = this.#found.slice(0, longest.length);
    common.forEach((text, i) => {
      if (longest[i] !== text) throw new Error(`it has ${text} where others have ${longest[i]}`);
    });
  }

  /** As a user does whose manager is lost: removed, without any state, and joined again. */
  async #replace(): Promise<void> {
    const leader = await this.#cluster.leader();
    const known = leader.api.members().find(({ nodeId }) => nodeId === NODE_ID);
    if (known) await leader.api.removeMember(known.raftId);
    rmSync(this.#log, { recursive: true, force: true });
    rmSync(`${this.#log}.mark`, { force: true });
    this.#found = [];
    this.#synced.clear();
    this.#join = await this.#admit(leader);
  }

  /** Whoever is to become a member must answer at its address. */
  async #admit(leader: TestManager): Promise<MemberTask['init']['join']> {
    const stand = new TestManager(NODE_ID, join(this.#dir, 'stand-in'), this.#host, this.#port);
    await stand.listen();
    try {
      const addr = `${this.#host}:${this.#port}`;
      const { raftId } = await leader.api.addMember({ nodeId: NODE_ID, addr, raftId: 0 });
      return { raftId, membership: leader.api.membership() };
    } finally {
      await stand.stop();
    }
  }
}
