import { SwarmError } from '../../../common/errors.ts';
import type { Caller, Dispatcher } from '../../../manager/dispatcher/dispatcher.ts';
import type { LogBroker } from '../../../manager/logbroker/log-broker.ts';
import type { ManagerConnection } from '../../../worker/agent/connection.ts';

/** Calls the dispatcher in the same process; `fail` cuts the line. */
export function directConnection(
  dispatcher: () => Dispatcher,
  caller: Caller,
  cut: AbortSignal,
  broker: () => LogBroker,
): ManagerConnection {
  const line = (signal: AbortSignal) => {
    if (cut.aborted) throw new SwarmError('SWM_UNAVAILABLE', 'the line is cut');
    return AbortSignal.any([signal, cut]);
  };
  const none = async (): Promise<never> => {
    throw new SwarmError('SWM_NOT_IMPLEMENTED', 'not on this line');
  };
  return {
    async *session(request, signal) {
      yield* dispatcher().session(caller, request, line(signal));
    },
    async *assignments({ sessionId }, signal) {
      yield* dispatcher().assignments(caller, sessionId, line(signal));
    },
    async heartbeat({ sessionId }, signal) {
      line(signal);
      return dispatcher().heartbeat(caller, sessionId);
    },
    async updateTaskStatus({ sessionId, updates }, signal) {
      line(signal);
      await dispatcher().updateTaskStatus(caller, sessionId, updates);
    },
    async leave({ sessionId }, signal) {
      line(signal);
      await dispatcher().leave(caller, sessionId);
    },
    attachNetwork: none,
    detachNetwork: none,
    async *listenSubscriptions(signal) {
      yield* broker().listen(caller.nodeId, line(signal));
    },
    async publishLogs(messages) {
      await broker().publish(caller.nodeId, messages);
    },
    close: () => undefined,
  };
}
