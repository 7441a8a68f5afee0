import { msToDuration } from '../../../common/duration.ts';
import {
  RestartPolicy_RestartCondition as Condition,
  EndpointSpec_ResolutionMode as ResolutionMode,
  type ServiceSpec,
  type TaskSpec,
} from '../../../proto/gen/swarm/specs.ts';
import {
  UpdateConfig_FailureAction as FailureAction,
  UpdateConfig_UpdateOrder as Order,
  type UpdateConfig,
} from '../../../proto/gen/swarm/types.ts';

const STOP_GRACE_MS = 10_000;
const RESTART_DELAY_MS = 5_000;
const MONITOR_MS = 5_000;

const updateDefaults: UpdateConfig = {
  parallelism: 1,
  failureAction: FailureAction.PAUSE,
  monitor: msToDuration(MONITOR_MS),
  maxFailureRatio: 0,
  order: Order.STOP_FIRST,
};

/** The spec with everything the user left unset spelled out, as `insertDefaults=true` shows it. */
export function withDefaults(spec: ServiceSpec): ServiceSpec {
  const isJob = spec.mode?.$case === 'replicatedJob' || spec.mode?.$case === 'globalJob';
  return {
    ...spec,
    task: spec.task && taskDefaults(spec.task, isJob),
    // A job is neither updated in steps nor rolled back.
    update: isJob ? spec.update : { ...updateDefaults, ...defined(spec.update) },
    rollback: isJob ? spec.rollback : { ...updateDefaults, ...defined(spec.rollback) },
    endpoint: spec.endpoint ?? { mode: ResolutionMode.VIP, ports: [] },
  };
}

function taskDefaults(task: TaskSpec, isJob: boolean): TaskSpec {
  const container = task.runtime?.$case === 'container' ? task.runtime.container : undefined;
  return {
    ...task,
    ...(container && {
      runtime: {
        $case: 'container',
        container: {
          ...container,
          stopGracePeriod: container.stopGracePeriod ?? msToDuration(STOP_GRACE_MS),
          dnsConfig: container.dnsConfig ?? { nameservers: [], search: [], options: [] },
        },
      },
    }),
    restart: {
      condition: isJob ? Condition.ON_FAILURE : Condition.ANY,
      delay: msToDuration(RESTART_DELAY_MS),
      maxAttempts: 0,
      ...defined(task.restart),
    },
  };
}

function defined<T extends object>(value: T | undefined): Partial<T> {
  const entries = Object.entries(value ?? {}).filter(([, field]) => field !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}
