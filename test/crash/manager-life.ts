import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type Random, randomInt } from '../../common/random.ts';
import type { Catalogue } from './catalogue.ts';
import { runToEnd } from './child.ts';
import { type Line, readJournal } from './journal.ts';
import type { KillPoint } from './kill-points.ts';
import { Ledger } from './ledger.ts';
import { losePower } from './power-loss.ts';
import type { ManagerTask } from './tasks.ts';

/** Beside this file, and compiled or not as this is. */
const CHILD = join(import.meta.dirname, `manager-child${extname(import.meta.filename)}`);
const OPERATIONS = 25;
const LIFE_MS = { low: 1, high: 900 };
const POWER_LOSS_SHARE = 0.35;

export interface Life {
  /** What ended it, for people. */
  readonly end: string;
  /** It was really killed at a point or a time, and did not come to the end of its work. */
  readonly killed: boolean;
}

/**
 * One manager, alone in its cluster, that lives many times: each life goes on where the one before was
 * killed, and what it finds is compared with what was acknowledged.
 */
export class ManagerLives {
  readonly #dir: string;
  readonly #addr: string;
  readonly #random: Random;
  #ledger = new Ledger();
  /** In all lives: a file may be older than the one that was just ended. */
  readonly #synced = new Map<string, number>();
  #lines = 0;
  #operations = 0;
  #isNew = true;
  readonly #catalogue: Catalogue;

  constructor(
    components: { readonly random: Random; readonly catalogue: Catalogue },
    init: { dir: string; addr: string },
  ) {
    this.#random = components.random;
    this.#catalogue = components.catalogue;
    this.#dir = init.dir;
    this.#addr = init.addr;
    mkdirSync(this.#dir, { recursive: true });
  }

  get acknowledged(): number {
    return this.#ledger.acknowledged;
  }

  /** Throws when a life finds what it must not find, or cannot begin. */
  async next(): Promise<Life> {
    const point = this.#catalogue.choose(this.#random);
    const isTimed = point === undefined && !this.#catalogue.isEmpty;
    const lifeMs = isTimed ? randomInt(this.#random, LIFE_MS.low, LIFE_MS.high) : 0;
    const mark = this.#mark();
    const lines = await this.#live({ point, lifeMs });
    for (const line of lines) {
      if (line.type === 'synced') this.#synced.set(line.synced.file, line.synced.bytes);
    }
    const ended = lines.some(({ type }) => type === 'end');
    const how = point ? `${point.stage} ${point.kind} #${point.nth}` : `after ${lifeMs} ms`;
    const before = { synced: this.#synced, mark };
    return { end: this.#afterwards(ended ? 'end of work' : how, before), killed: !ended };
  }

  /** A life that is not killed before its work is done: everything must be there. */
  async last(): Promise<void> {
    await this.#live({ point: undefined, lifeMs: 0 });
  }

  async #live(wanted: { point: KillPoint | undefined; lifeMs: number }): Promise<Line[]> {
    const task: ManagerTask = {
      ...wanted,
      stateDir: join(this.#dir, 'state'),
      journal: join(this.#dir, 'journal'),
      addr: this.#addr,
      isNew: this.#isNew,
      operations: OPERATIONS,
      firstName: this.#operations,
    };
    this.#operations += 10 * OPERATIONS;
    const path = join(this.#dir, 'task.json');
    writeFileSync(path, JSON.stringify(task));
    await runToEnd(CHILD, path);
    return this.#judge();
  }

  #judge(): Line[] {
    const path = join(this.#dir, 'journal');
    const lines = existsSync(path) ? readJournal(path).slice(this.#lines) : [];
    this.#lines += lines.length;
    for (const line of lines) {
      if (line.type === 'failed') throw new Error(line.error);
      if (line.type === 'up') this.#ledger.check(line.found);
      if (line.type === 'end') this.#catalogue.learn(line.counts);
      this.#ledger.take(line);
    }
    // Nobody was told of a cluster that was never up: whoever began it begins again.
    if (this.#isNew && !lines.some(({ type }) => type === 'up')) this.#wipe();
    else this.#isNew = false;
    return lines;
  }

  #wipe(): void {
    rmSync(this.#dir, { recursive: true });
    mkdirSync(this.#dir, { recursive: true });
    this.#synced.clear();
    this.#lines = 0;
  }

  #afterwards(how: string, before: Parameters<typeof losePower>[1]): string {
    const dir = this.#logDir();
    if (!existsSync(dir) || this.#random.float() >= POWER_LOSS_SHARE) return how;
    return `${how}, power lost: ${losePower(dir, before, this.#random)}`;
  }

  /** Nothing runs between two lives. */
  async stop(): Promise<void> {}

  #mark(): Buffer | undefined {
    const path = `${this.#logDir()}.mark`;
    return existsSync(path) ? readFileSync(path) : undefined;
  }

  #logDir(): string {
    return join(this.#dir, 'state', 'raft', 'log');
  }
}
