import { readFileSync } from 'node:fs';
import { errorMessage } from '../../common/errors.ts';
import { Journal } from './journal.ts';
import { KillPoints } from './kill-points.ts';
import type { LifeTask } from './tasks.ts';
import { watchedLogDb } from './watched-log-db.ts';

/** What both kinds of child processes share: one life, from reading the task to SIGKILL. */
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

  /** Runs `live` and then kills this process, if it was not killed on the way. */
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

  /** The log in `dir`; each operation on it is a possible kill point. */
  openLogDb = (dir: string) =>
    watchedLogDb(dir, this.#points, (synced) => this.journal.write({ type: 'synced', synced }));

  /** Reports that it is up and what it found. Its time to live, if it has one, starts here. */
  announce(found: readonly string[], unlockKey = ''): void {
    this.journal.write({ type: 'up', found, unlockKey });
    const { lifeMs } = this.task;
    if (lifeMs > 0) setTimeout(() => process.kill(process.pid, 'SIGKILL'), lifeMs);
  }
}
