import { type Random, randomInt } from '../../common/random.ts';
import { type KillPoint, STAGES } from './kill-points.ts';

/** How many of a kind are told apart; what comes later is much like what came before. */
const NTH_MAX = 40;
const TIMED_SHARE = 0.25;

/** The disk operations of a whole life, of which points are chosen. */
export class Catalogue {
  #counts: readonly (readonly [string, number])[] = [];

  get isEmpty(): boolean {
    return this.#counts.length === 0;
  }

  learn(counts: readonly (readonly [string, number])[]): void {
    const known = new Map(this.#counts);
    for (const [kind, count] of counts) known.set(kind, Math.max(count, known.get(kind) ?? 0));
    this.#counts = [...known];
  }

  /**
   * What happens seldom matters nearly as much as what happens all the time. Undefined where a life is
   * to end at a time.
   */
  choose(random: Random): KillPoint | undefined {
    if (this.isEmpty || random.float() < TIMED_SHARE) return undefined;
    const [kind, count] = this.#draw(random);
    const stage = STAGES[randomInt(random, 0, STAGES.length - 1)] as KillPoint['stage'];
    // Lives differ in length: an early one of a kind is reached in most.
    const nth = 1 + Math.floor(random.float() ** 2 * Math.min(count, NTH_MAX));
    return { kind, stage, nth };
  }

  #draw(random: Random): readonly [string, number] {
    const weights = this.#counts.map(([, count]) => 1 + Math.log2(count));
    let left = random.float() * weights.reduce((a, b) => a + b, 0);
    const at = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return this.#counts.at(at) as readonly [string, number];
  }
}
