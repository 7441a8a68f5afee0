import { readFile, rm, writeFile } from 'node:fs/promises';
import { randomInt } from '../../../common/random.ts';
import { seededRandom } from '../../support/seeded-random.ts';

/** One way to damage a file. */
export interface Damage {
  readonly name: 'cut' | 'flip' | 'removed';
  /** What exactly is done, for people. */
  readonly what: string;
  apply(path: string): Promise<void>;
}

const FLIPS = 3;

/** All that is done to a file of `size` bytes, one after the other; which bits flip follows from `seed`. */
export function damagesOf(size: number, seed: number): Damage[] {
  const removed: Damage = { name: 'removed', what: 'removed', apply: (path) => rm(path) };
  if (size === 0) return [removed];
  const cuts = [...new Set([0, size >> 1, size - 1])];
  return [...cuts.map((length) => cutTo(length, size)), ...flips(size, seed), removed];
}

function cutTo(length: number, size: number): Damage {
  return {
    name: 'cut',
    what: `cut from ${size} to ${length} bytes`,
    async apply(path) {
      await writeFile(path, (await readFile(path)).subarray(0, length));
    },
  };
}

function flips(size: number, seed: number): Damage[] {
  const random = seededRandom(seed);
  return Array.from({ length: FLIPS }, () => {
    const at = randomInt(random, 0, size - 1);
    const bit = randomInt(random, 0, 7);
    return {
      name: 'flip',
      what: `bit ${bit} of byte ${at} flipped`,
      async apply(path) {
        const bytes = await readFile(path);
        bytes[at]! ^= 1 << bit;
        await writeFile(path, bytes);
      },
    };
  });
}
