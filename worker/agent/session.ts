import { type Clock, sleep } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import { durationMs } from '../../common/duration.ts';
import { SwarmError } from '../../common/errors.ts';
import type {
  AssignmentsMessage,
  SessionMessage,
  TaskStatusUpdate,
} from '../../proto/gen/swarm/dispatcher.ts';
import type { NodeDescription } from '../../proto/gen/swarm/types.ts';
import type { ManagerConnection } from './connection.ts';

export interface SessionHandlers {
  /** The first message comes before anything else of the session. */
  readonly onMessage: (message: SessionMessage) => void;
  readonly onAssignments: (message: AssignmentsMessage) => Promise<void>;
  /** Brings statuses to `send` until aborted. */
  readonly reportStatuses: (
    send: (updates: readonly TaskStatusUpdate[], signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<never>;
  /** Whatever else goes on for as long as the session lasts. */
  readonly beside: readonly ((
    connection: ManagerConnection,
    signal: AbortSignal,
  ) => Promise<never>)[];
}

const RPC_TIMEOUT_MS = 5_000;
const DEFAULT_PERIOD_MS = 5_000;

/**
 * One session with the leader over one connection: registration, heartbeats, assignments and
 * statuses. They fail together; always rejects, with the first failure or the signal's reason.
 */
export async function runSession(
  components: { connection: ManagerConnection; clock: Clock; handlers: SessionHandlers },
  init: { description: NodeDescription; previousSessionId: string },
  signal: AbortSignal,
): Promise<never> {
  const { connection, clock, handlers } = components;
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  const request = { description: init.description, sessionId: init.previousSessionId };
  const messages = connection.session(request, ended)[Symbol.asyncIterator]();
  let parts: Promise<never>[] = [];
  try {
    const first = await timed(clock, 'the registration', ended, () => next(messages));
    const { sessionId } = first;
    handlers.onMessage(first);
    const send = async (updates: readonly TaskStatusUpdate[], sending: AbortSignal) =>
      timed(clock, 'a status report', sending, (limit) =>
        connection.updateTaskStatus({ sessionId, updates }, limit),
      );
    parts = [
      follow(messages, handlers.onMessage),
      heartbeats(connection, clock, sessionId, ended),
      assignments(connection, sessionId, handlers.onAssignments, ended),
      handlers.reportStatuses(send, ended),
      ...handlers.beside.map((part) => part(connection, ended)),
    ];
    return await Promise.race(parts);
  } finally {
    over.abort(new Error('the session has ended'));
    await Promise.allSettled(parts);
  }
}

async function next(messages: AsyncIterator<SessionMessage>): Promise<SessionMessage> {
  const result = await messages.next();
  if (result.done) throw ended('session');
  return result.value;
}

async function follow(
  messages: AsyncIterator<SessionMessage>,
  onMessage: (message: SessionMessage) => void,
): Promise<never> {
  for (;;) onMessage(await next(messages));
}

async function heartbeats(
  connection: ManagerConnection,
  clock: Clock,
  sessionId: string,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    const { period } = await timed(clock, 'a heartbeat', signal, (limit) =>
      connection.heartbeat({ sessionId }, limit),
    );
    await sleep(clock, durationMs(period, DEFAULT_PERIOD_MS), signal);
  }
}

async function assignments(
  connection: ManagerConnection,
  sessionId: string,
  onAssignments: (message: AssignmentsMessage) => Promise<void>,
  signal: AbortSignal,
): Promise<never> {
  for await (const message of connection.assignments({ sessionId }, signal)) {
    await onAssignments(message);
  }
  throw ended('assignments');
}

function ended(stream: string): SwarmError {
  return new SwarmError('SWM_UNAVAILABLE', `the manager ended the stream of ${stream}`);
}

function timed<T>(
  clock: Clock,
  what: string,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const text = `the manager did not answer ${what} in ${RPC_TIMEOUT_MS / 1000} s`;
  const late = () => new SwarmError('SWM_TIMEOUT', text);
  return within(clock, { ms: RPC_TIMEOUT_MS, late, signal }, call);
}
