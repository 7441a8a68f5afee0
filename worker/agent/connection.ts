import type {
  AssignmentsMessage,
  AssignmentsRequest,
  AttachNetworkRequest,
  AttachNetworkResponse,
  DetachNetworkRequest,
  HeartbeatRequest,
  HeartbeatResponse,
  LeaveRequest,
  SessionMessage,
  SessionRequest,
  UpdateTaskStatusRequest,
} from '../../proto/gen/swarm/dispatcher.ts';
import type { PublishLogsMessage, SubscriptionMessage } from '../../proto/gen/swarm/logs.ts';

/** All that an agent asks of a manager. Everything throws SwarmError; streams end when aborted. */
export interface ManagerConnection {
  session(request: SessionRequest, signal: AbortSignal): AsyncIterable<SessionMessage>;
  heartbeat(request: HeartbeatRequest, signal: AbortSignal): Promise<HeartbeatResponse>;
  updateTaskStatus(request: UpdateTaskStatusRequest, signal: AbortSignal): Promise<void>;
  assignments(request: AssignmentsRequest, signal: AbortSignal): AsyncIterable<AssignmentsMessage>;
  leave(request: LeaveRequest, signal: AbortSignal): Promise<void>;
  attachNetwork(request: AttachNetworkRequest, signal: AbortSignal): Promise<AttachNetworkResponse>;
  detachNetwork(request: DetachNetworkRequest, signal: AbortSignal): Promise<void>;
  listenSubscriptions(signal: AbortSignal): AsyncIterable<SubscriptionMessage>;
  /** Resolves when the manager has taken all of `messages`. */
  publishLogs(messages: AsyncIterable<PublishLogsMessage>, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Makes a connection to the manager at `addr`; failures show with its first use. */
export type Dial = (addr: string) => ManagerConnection;
