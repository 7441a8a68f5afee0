import type { Random } from '../../common/random.ts';

/** Ids stay clear of the top of the range, where the core addresses its storage threads. */
const BITS = 52;

/**
 * A Raft id that nobody has or had: random in [1, 2^52). An id is never used twice, because a member
 * that lost its disk under an id that others remember could break promises it does not know of.
 */
export function newRaftId(random: Random, isTaken: (raftId: number) => boolean): number {
  for (;;) {
    const bytes = Buffer.from(random.bytes(7));
    const id = bytes.readUIntBE(0, 6) * 2 ** (BITS - 48) + (bytes[6]! >> 4);
    if (id > 0 && !isTaken(id)) return id;
  }
}
