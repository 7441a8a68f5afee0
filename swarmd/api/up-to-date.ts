import { isDeepStrictEqual } from 'node:util';
import type { Service, Task } from '../../proto/gen/swarm/objects.ts';

/**
 * True when a task is what its service asks for now. A task of an older version of the spec still is
 * when nothing that concerns a running task has changed in between; a changed placement alone moves
 * no task.
 */
export function isUpToDate(service: Service | undefined, task: Task): boolean {
  if (!service?.spec) return false;
  const version = service.specVersion?.index;
  if (version !== undefined && version === task.specVersion?.index) return true;
  const wanted = { ...service.spec.task, placement: undefined };
  const had = { ...task.spec, placement: undefined };
  if (!isDeepStrictEqual(wanted, had)) return false;
  return !task.endpoint || isDeepStrictEqual(service.spec.endpoint, task.endpoint.spec);
}
