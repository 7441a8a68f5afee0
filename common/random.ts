import { randomBytes } from 'node:crypto';

/** Randomness as it is passed in. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  bytes(size: number): Uint8Array;
}

export const systemRandom: Random = {
  float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  bytes: (size) => randomBytes(size),
};

/** Uniform integer in [low, high]. */
export function randomInt(random: Random, low: number, high: number): number {
  return low + Math.floor(random.float() * (high - low + 1));
}

/** A new array with the elements of `items` in random order (Fisher-Yates). */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInt(random, 0, i);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
