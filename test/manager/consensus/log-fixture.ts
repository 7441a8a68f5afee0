import { type Entry, EntryType } from 'raft-ts';
import { systemRandom } from '../../../common/random.ts';
import { LogDisk } from '../../../manager/consensus/log-disk.ts';
import type { LogIdentity, StoredLog } from '../../../manager/consensus/log-records.ts';
import { type KeyRing, Vault } from '../../../manager/consensus/vault.ts';
import { KEYS } from './harness.ts';

export const IDENTITY: LogIdentity = { format: 1, raftId: 7, nodeId: 'n' };

export function diskAt(dir: string, keys: KeyRing = KEYS): LogDisk {
  return new LogDisk({ vault: new Vault({ keys, random: systemRandom }) }, { dir });
}

/** Opens, reads and closes. */
export async function read(dir: string, keys: KeyRing = KEYS): Promise<StoredLog | undefined> {
  const disk = diskAt(dir, keys);
  const log = await disk.open();
  await disk.close();
  return log;
}

export function entry(index: number, term: number, text = `${term}/${index}`): Entry {
  return { term, index, type: EntryType.Normal, data: Buffer.from(text) };
}

/** `count` entries of one term, from index `first` on. */
export function run(first: number, count: number, term: number): Entry[] {
  return Array.from({ length: count }, (_, i) => entry(first + i, term));
}

/** `index:term:text` of each. */
export function plain(entries: readonly Entry[]): string[] {
  return entries.map(({ index, term, data }) => `${index}:${term}:${Buffer.from(data ?? [])}`);
}
