import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type LogDb, levelLogDb } from '../../manager/consensus/log-db.ts';
import type { KillPoints } from './kill-points.ts';

export interface Synced {
  /** The file that LevelDB writes to, and how much of it is safe when power fails. */
  readonly file: string;
  readonly bytes: number;
}

/** LevelDB whose operations are kill points, one after the other. Tells what was synced. */
export function watchedLogDb(
  dir: string,
  points: KillPoints,
  onSynced: (synced: Synced) => void,
): LogDb {
  const db = levelLogDb(dir);
  let last: Promise<unknown> = Promise.resolve();
  // The mark is written when a batch was synced, and the process may end before anybody else is told.
  points.onBegin = (kind) => {
    if (kind === 'write log.mark' && existsSync(dir)) onSynced(sizeOfLog(dir));
  };
  const next = <T>(kind: string, operation: () => Promise<T>): Promise<T> => {
    const result = last.then(() => points.around(kind, operation));
    last = result.catch(() => undefined);
    return result;
  };
  const synced = async (write: Promise<void>, isSynced: boolean) => {
    await write;
    if (isSynced) onSynced(sizeOfLog(dir));
  };
  return {
    ...db,
    open: () => next('open', () => db.open()),
    close: () => next('close', () => db.close()),
    put: (key, value, { sync }) =>
      next(sync ? 'put sync' : 'put', () => synced(db.put(key, value, { sync }), sync)),
    batch: (ops, { sync }) =>
      next(sync ? 'batch sync' : 'batch', () => synced(db.batch(ops, { sync }), sync)),
    compact: () => next('compact', () => db.compact()),
  };
}

function sizeOfLog(dir: string): Synced {
  const logs = readdirSync(dir).filter((name) => name.endsWith('.log'));
  const file = logs.sort().at(-1) ?? '';
  return { file, bytes: file === '' ? 0 : statSync(join(dir, file)).size };
}
