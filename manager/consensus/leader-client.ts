import { Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../common/clock.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import { fromServiceError } from '../../common/grpc-errors.ts';
import type { RaftMembershipServiceClient } from '../../proto/gen/swarm/raft.ts';
import { HEALTH_TIMEOUT_MS } from './constants.ts';
import { type Dialer, membershipClient, type Place, raftClient } from './dial.ts';

export interface RemoteComponents extends Dialer {
  readonly clock: Clock;
}

/** Tells the leader where a member is now. */
export function announceAddress(
  components: RemoteComponents,
  leader: Place,
  self: { readonly raftId: number; readonly addr: string },
): Promise<void> {
  return ask(components, leader, (client, ...call) => client.join(self, ...call));
}

/** Has the leader remove the member that asks. */
export function leave(components: RemoteComponents, leader: Place): Promise<void> {
  return ask(components, leader, (client, ...call) => client.leave({}, ...call));
}

/** Rejects with SWM_FAILED_PRECONDITION unless a manager answers there. */
export async function checkHealth(components: RemoteComponents, remote: Place): Promise<void> {
  const client = raftClient(components, remote);
  const deadline = components.clock.now() + HEALTH_TIMEOUT_MS;
  try {
    await new Promise<void>((resolve, reject) => {
      client.health({}, new Metadata(), { deadline }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  } catch (error) {
    const message = `Nobody answered at ${remote.addr}, where the new manager says that it is: ${errorMessage(fromServiceError(error))}`;
    throw new SwarmError('SWM_FAILED_PRECONDITION', message, {
      hint: 'Join with an --advertise-addr that the other managers can reach.',
      cause: error,
    });
  } finally {
    client.close();
  }
}

type Callback = (error: ServiceError | null) => void;

async function ask(
  components: RemoteComponents,
  leader: Place,
  call: (
    client: RaftMembershipServiceClient,
    metadata: Metadata,
    options: { deadline: number },
    callback: Callback,
  ) => void,
): Promise<void> {
  const client = membershipClient(components, leader);
  const deadline = components.clock.now() + 2 * HEALTH_TIMEOUT_MS;
  try {
    await new Promise<void>((resolve, reject) => {
      call(client, new Metadata(), { deadline }, (error) => {
        if (error) reject(fromServiceError(error));
        else resolve();
      });
    });
  } finally {
    client.close();
  }
}
