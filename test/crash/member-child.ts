/**
 * One of three members, as far as Raft is concerned, in a process of its own: it follows, or leads and
 * proposes, takes snapshots and gets them, seals its log anew, and is killed where it was told to.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isSwarmError } from '../../common/errors.ts';
import { keyRing, TestManager, until } from '../manager/consensus/harness.ts';
import { ChildLife } from './child-life.ts';
import type { MemberTask } from './tasks.ts';

/** How many entries it proposes before another one leads. */
const TERM_LENGTH = 60;

const life = new ChildLife<MemberTask>();
const { task, journal } = life;
await life.run(live);

async function live(): Promise<void> {
  const manager = new TestManager(task.nodeId, task.dir, task.host, task.port);
  manager.machine.padding = task.init.padding;
  const { keys, rotates, ...init } = task.init;
  await manager.start(init, keyRing(...keys), life.openLogDb);
  life.announce(manager.machine.texts);
  const isOver = () => manager.removed > 0 || manager.machine.texts.includes(task.untilText);
  const leading = lead(manager, isOver);
  // In the midst of everything else, as when managers are locked.
  if (rotates) await manager.api.rotateKeys();
  await until(isOver, `it has seen ${task.untilText}`);
  await leading;
  if (manager.failures[0]) throw manager.failures[0];
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
