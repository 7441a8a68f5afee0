import { SwarmError } from '../../common/errors.ts';
import { unaryHandler } from '../../common/grpc-stream.ts';
import { newId } from '../../common/ids.ts';
import type {
  AttachNetworkRequest,
  ResourceAllocatorServer,
} from '../../proto/gen/swarm/dispatcher.ts';
import { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { findNetwork } from '../allocator/networks.ts';
import { callerOf } from '../ca/index.ts';
import { type ControlContext, now } from './control-context.ts';

/**
 * Attaches a container of `nodeId` to a network of the swarm: a task without a service, which gets its
 * addresses like any other and is never run. Resolves with the task's id.
 * Throws SWM_NOT_FOUND, SWM_PERMISSION_DENIED for a network that is not attachable.
 */
export async function attachNetwork(
  context: ControlContext,
  nodeId: string,
  { containerId, config }: AttachNetworkRequest,
): Promise<string> {
  const target = config?.target ?? '';
  const id = newId(context.random);
  await context.store.update((tx) => {
    const network = findNetwork(tx, target);
    if (!network) throw new SwarmError('SWM_NOT_FOUND', `network ${target} not found`);
    const name = network.spec?.annotations?.name;
    if (!network.spec?.attachable) {
      throw new SwarmError('SWM_PERMISSION_DENIED', `network ${target} not manually attachable`);
    }
    const attached = tx
      .find('task', { networkId: network.id })
      .some((task) => task.nodeId === nodeId && containerOf(task) === containerId && isLive(task));
    if (attached) {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `container ${containerId} is already attached to network ${name}`,
      );
    }
    const networks = [{ ...config, target: network.id }];
    const spec = {
      runtime: { $case: 'attachment' as const, attachment: { containerId } },
      networks,
    };
    const status = { state: TaskState.NEW, message: 'created', timestamp: now(context) };
    const desiredState = TaskState.RUNNING;
    tx.create('task', Task.fromPartial({ id, nodeId, spec, status, desiredState }));
  });
  return id;
}

/** Throws SWM_NOT_FOUND, SWM_PERMISSION_DENIED for the attachment of another node. */
export async function detachNetwork(
  context: ControlContext,
  nodeId: string,
  attachmentId: string,
): Promise<void> {
  await context.store.update((tx) => {
    const task = tx.get('task', attachmentId);
    if (!task || containerOf(task) === undefined) {
      throw new SwarmError('SWM_NOT_FOUND', `attachment ${attachmentId} not found`);
    }
    if (task.nodeId !== nodeId) {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `attachment ${attachmentId} belongs to node ${task.nodeId}, not to node ${nodeId}`,
      );
    }
    tx.remove('task', attachmentId);
  });
}

/** `context` throws SWM_NOT_LEADER where nothing can be written. */
export function resourceAllocatorService(context: () => ControlContext): ResourceAllocatorServer {
  return {
    attachNetwork: unaryHandler(async (call) => ({
      attachmentId: await attachNetwork(context(), callerOf(call).nodeId, call.request),
    })),
    detachNetwork: unaryHandler(async (call) => {
      await detachNetwork(context(), callerOf(call).nodeId, call.request.attachmentId);
      return {};
    }),
  };
}

/** The container that a task attaches; undefined for tasks that run one of their own. */
function containerOf({ spec }: Task): string | undefined {
  return spec?.runtime?.$case === 'attachment' ? spec.runtime.attachment.containerId : undefined;
}

function isLive({ status }: Task): boolean {
  return (status?.state ?? TaskState.NEW) <= TaskState.RUNNING;
}
