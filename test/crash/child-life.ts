import { readFileSync } from 'node:fs';
import { errorMessage } from '../../common/errors.ts';
import { Journal } from './journal.ts';
import { KillPoints } from './kill-points.ts';
import type { LifeTask } from './tasks.ts';
import { watchedLogDb } from './watched-log-db.ts';

/** What both kinds of children have in common: one life, from the task to SIGKILL. */
export class ChildLife<Task extends LifeTask> {
  readonly task: Task;
  readonly journal: Journal;
  readonly #points: KillPoints;

  /** The file with the task is the argument of this process. */
  constructor() {
    this.task = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as Task;
    this.journal = new Journal(this.task.journal);
    this.#points = new KillPoints(this.task.point);
  }

  /** Has it live until its work is done, unless it is killed before; then it ends in the same way. */
  async run(live: () => Promise<void>): Promise<void> {
    this.#points.watchFiles();
    try {
      await live();
      this.journal.write({ type: 'end', counts: [...this.#points.counts] });
    } catch (error) {
      this.journal.write({ type: 'failed', error: (error as Error).stack ?? errorMessage(error) });
    }
    process.kill(process.pid, 'SIGKILL');
  }

  /** The log in `dir`; what is done to it can be where it ends. */
  openLogDb = (dir: string) =>
    watchedLogDb(dir, this.#points, (synced) => this.journal.write({ type: 'synced', synced }));

  /** It is up, with what it found. Its time runs from here, if it has one. */
  announce(found: readonly string[], unlockKey = ''): void {
    this.journal.write({ type: 'up', found, unlockKey });
    const { lifeMs } = this.task;
    if (lifeMs > 0) setTimeout(() => process.kill(process.pid, 'SIGKILL'), lifeMs);
  }
}
