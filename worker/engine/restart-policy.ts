import type { ContainerRecord } from './record.ts';

const DELAY_MIN_MS = 100;
const DELAY_MAX_MS = 60_000;
/** A run this long shows that the container works: the delay begins anew. */
const STABLE_MS = 10_000;

/** Whether the engine starts a container again that ended by itself. Tasks are the agent's matter. */
export function shouldRestart(record: ContainerRecord, exitCode: number): boolean {
  if (record.taskId || record.stoppedByUser) return false;
  const { Name = '', MaximumRetryCount = 0 } = record.hostConfig.RestartPolicy ?? {};
  if (Name === 'always' || Name === 'unless-stopped') return true;
  if (Name !== 'on-failure' || exitCode === 0) return false;
  return MaximumRetryCount === 0 || record.restartCount < MaximumRetryCount;
}

/** Whether a daemon that comes up starts a container that does not run. */
export function shouldStartAtBoot(record: ContainerRecord, wasActive: boolean): boolean {
  if (record.taskId) return false;
  const policy = record.hostConfig.RestartPolicy?.Name ?? '';
  if (policy === 'always') return record.state.status !== 'created';
  return wasActive && shouldRestart(record, record.state.exitCode);
}

/** Exponential: doubles with each short run. `previous` is 0 for the first. */
export function restartDelay(previousMs: number, ranForMs: number): number {
  if (previousMs === 0 || ranForMs >= STABLE_MS) return DELAY_MIN_MS;
  return Math.min(previousMs * 2, DELAY_MAX_MS);
}
