import { errorMessage } from '../../../common/errors.ts';
import type { Logger } from '../../../common/logger.ts';
import type { EngineApi } from '../../engine/types.ts';

/** Removes the containers of tasks that are not in `keep`: their removal was interrupted once. */
export async function sweepContainers(
  components: { engine: EngineApi; logger: Logger },
  keep: ReadonlySet<string>,
): Promise<void> {
  const { engine, logger } = components;
  const stale = engine.list().filter(({ taskId }) => taskId !== '' && !keep.has(taskId));
  for (const { id, taskId } of stale) {
    logger.info({ taskId, containerId: id }, 'removing the container of a task that is gone');
    await engine.remove(id, { force: true, volumes: true }).catch((error) => {
      logger.warn({ containerId: id, err: errorMessage(error) }, 'stale container not removed');
    });
  }
}
