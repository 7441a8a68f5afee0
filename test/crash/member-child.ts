/**
 * One of three members, as far as Raft is concerned, in a process of its own: it follows, or leads and
 * proposes, takes snapshots and gets them, seals its log anew, and is killed where it was told to.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, isSwarmError } from '../../common/errors.ts';
import { keyRing, TestManager, until } from '../manager/consensus/harness.ts';
import { Journal } from './journal.ts';
import { KillPoints } from './kill-points.ts';
import type { MemberTask } from './tasks.ts';
import { watchedLogDb } from './watched-log-db.ts';

/** How many entries it proposes before another one leads. */
const TERM_LENGTH = 60;

const task = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as MemberTask;
const journal = new Journal(task.journal);
const points = new KillPoints(task.point);
points.watchFiles();
try {
  await live();
} catch (error) {
  journal.write({ type: 'failed', error: (error as Error).stack ?? errorMessage(error) });
}
process.kill(process.pid, 'SIGKILL');

async function live(): Promise<void> {
  const manager = new TestManager(task.nodeId, task.dir, task.host, task.port);
  manager.machine.padding = task.init.padding;
  const { keys, rotates, ...init } = task.init;
  const openLogDb = (dir: string) =>
    watchedLogDb(dir, points, (synced) => journal.write({ type: 'synced', synced }));
  await manager.start(init, keyRing(...keys), openLogDb);
  journal.write({ type: 'up', found: manager.machine.texts, unlockKey: '' });
  if (task.lifeMs > 0) setTimeout(() => process.kill(process.pid, 'SIGKILL'), task.lifeMs);
  const isOver = () => manager.removed > 0 || manager.machine.texts.includes(task.untilText);
  const leading = lead(manager, isOver);
  // In the midst of everything else, as when managers are locked.
  if (rotates) await manager.api.rotateKeys();
  await until(isOver, `it has seen ${task.untilText}`);
  await leading;
  if (manager.failures[0]) throw manager.failures[0];
  journal.write({ type: 'end', counts: [...points.counts] });
}

/** Proposes while it leads, and hands over after a while. */
async function lead(manager: TestManager, isOver: () => boolean): Promise<void> {
  for (let n = task.firstName; !isOver(); n++) {
    if (n % TERM_LENGTH === TERM_LENGTH - 1 && manager.api.isLeader) {
      await manager.api.transferLeadership().catch(() => undefined);
    }
    while (!manager.api.isLeader && !isOver()) await sleep(5);
    if (isOver()) return;
    const name = `m${n}`;
    journal.write({ type: 'try', name, present: true });
    try {
      await manager.api.propose(Buffer.from(name)).committed;
      journal.write({ type: 'done', name, present: true });
    } catch (error) {
      if (!isSwarmError(error, 'SWM_NOT_LEADER', 'SWM_UNAVAILABLE')) throw error;
    }
  }
}
