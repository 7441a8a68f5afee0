import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Random, randomInt } from '../../common/random.ts';

export interface BeforePowerLoss {
  /** By file of LevelDB's log: how much of it was synced. */
  readonly synced: ReadonlyMap<string, number>;
  /** As it was at some earlier time; it is never synced while a manager runs. */
  readonly mark: Buffer | undefined;
}

/**
 * What a power failure leaves of the LevelDB in `dir`, whose process is dead: of each log file what was
 * synced, some of the rest, and maybe a last record that is torn. Tells what it did.
 */
export function losePower(dir: string, before: BeforePowerLoss, random: Random): string {
  const notes = readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .map((name) => cut(join(dir, name), before.synced.get(name) ?? 0, random));
  const { mark } = before;
  if (mark && random.float() < 0.5) {
    writeFileSync(`${dir}.mark`, mark);
    notes.push('mark is old');
  }
  return notes.join(', ');
}

function cut(path: string, synced: number, random: Random): string {
  const content = readFileSync(path);
  const size = content.length;
  const kept = randomInt(random, Math.min(synced, size), size);
  const torn = Buffer.from(random.bytes(randomInt(random, 0, Math.min(64, size - kept))));
  writeFileSync(path, Buffer.concat([content.subarray(0, kept), torn]));
  return `${kept} of ${size} bytes, ${synced} synced`;
}
