import { statfs } from 'node:fs/promises';

/** What a manager needs to begin: LevelDB rewrites its newest log, and a snapshot may be due. */
const ROOM_BYTES = 32 * 1024 * 1024;
/** Of a file system that is small as a whole. */
const ROOM_SHARE = 1 / 20;
const FILES_MIN = 100;

/** Whether there is room in the file system of `dir` for more than a moment, as far as it can be told. */
export async function hasRoom(dir: string): Promise<boolean> {
  const room = await statfs(dir).catch(() => undefined);
  // Then whoever needs it finds out by trying.
  if (!room) return true;
  const { bavail, blocks, bsize, files, ffree } = room;
  // Some file systems do not count files.
  if (files > 0 && ffree < FILES_MIN) return false;
  return bavail * bsize >= Math.min(ROOM_BYTES, blocks * bsize * ROOM_SHARE);
}
