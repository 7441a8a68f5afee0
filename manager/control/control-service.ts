import type { ServerDuplexStream } from '@grpc/grpc-js';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import {
  ControlService,
  type ControlStreamServer,
  type ForwardedAnswer,
  type ForwardedAnswers,
  type ForwardedCall,
  type ForwardedCalls,
  UpdateServiceRequest_Rollback as Rollback,
} from '../../proto/gen/swarm/control.ts';
import type { Version } from '../../proto/gen/swarm/types.ts';
import type { Store } from '../store/types.ts';
import type { ControlApi } from '../types.ts';
import { TurnBatch } from './turn-batch.ts';

export interface ControlServiceComponents {
  /** The leader's operations; throws SWM_NOT_LEADER elsewhere, as nothing is forwarded twice. */
  readonly control: () => ControlApi;
  readonly store: Pick<Store, 'appliedIndex'>;
}

type Methods = typeof ControlService;
type Operations = {
  readonly [M in keyof Methods]: (
    control: ControlApi,
    request: ReturnType<Methods[M]['requestDeserialize']>,
  ) => Promise<Parameters<Methods[M]['responseSerialize']>[0]>;
};
type Stream = ServerDuplexStream<ForwardedCalls, ForwardedAnswers>;

/** What other managers call for their clients. */
export function controlService(components: ControlServiceComponents): ControlStreamServer {
  return { forward: (stream) => serve(components, stream) };
}

function serve({ control, store }: ControlServiceComponents, stream: Stream): void {
  let underWay = 0;
  let noMore = false;
  const batch = new TurnBatch<ForwardedAnswer>({
    send: (answers) => {
      if (!stream.cancelled) stream.write({ answers });
      underWay -= answers.length;
      if (noMore && underWay === 0) stream.end();
    },
    size: ({ outcome }) => (outcome?.$case === 'response' ? outcome.response.length : 0),
  });
  const answer = async ({ id, method, request }: ForwardedCall) => {
    const outcome = await outcomeOf(() => perform(control(), method, request));
    batch.add({ id, outcome, appliedIndex: store.appliedIndex });
  };
  stream.on('data', ({ calls }: ForwardedCalls) => {
    underWay += calls.length;
    for (const call of calls) void answer(call);
  });
  stream.on('end', () => {
    noMore = true;
    if (underWay === 0) stream.end();
  });
}

async function perform(control: ControlApi, method: string, request: Buffer): Promise<Buffer> {
  if (!Object.hasOwn(operations, method)) {
    throw new SwarmError(
      'SWM_NOT_IMPLEMENTED',
      `the leader does not know the operation ${method}; does it run an older version?`,
    );
  }
  const name = method as keyof Methods;
  const { requestDeserialize, responseSerialize } = ControlService[name];
  const operation = operations[name] as (control: ControlApi, request: unknown) => Promise<never>;
  return responseSerialize(await operation(control, requestDeserialize(request)));
}

async function outcomeOf(run: () => Promise<Buffer>): Promise<ForwardedAnswer['outcome']> {
  try {
    return { $case: 'response', response: await run() };
  } catch (error) {
    const { code = 'SWM_INTERNAL', hint = '' } = error instanceof SwarmError ? error : {};
    return { $case: 'error', error: { code, message: errorMessage(error), hint } };
  }
}

const operations: Operations = {
  createService: async (control, { spec }) => ({
    service: await control.createService(required(spec)),
  }),
  updateService: async (control, { serviceId, version, spec, rollback }) => {
    const back = rollback === Rollback.PREVIOUS;
    const wanted = required(spec);
    return { service: await control.updateService(serviceId, indexOf(version), wanted, back) };
  },
  removeService: async (control, { id }) => {
    await control.removeService(id);
    return {};
  },
  createNetwork: async (control, { spec }) => ({
    network: await control.createNetwork(required(spec)),
  }),
  removeNetwork: async (control, { id }) => {
    await control.removeNetwork(id);
    return {};
  },
  updateNode: async (control, { nodeId, version, spec }) => ({
    node: await control.updateNode(nodeId, indexOf(version), required(spec)),
  }),
  removeNode: async (control, { nodeId, force }) => {
    await control.removeNode(nodeId, force);
    return {};
  },
  updateCluster: async (control, { version, spec, rotation }) => ({
    cluster: await control.updateCluster(indexOf(version), required(spec), required(rotation)),
  }),
  createSecret: async (control, { spec }) => ({
    secret: await control.createSecret(required(spec)),
  }),
  updateSecret: async (control, { secretId, version, spec }) => ({
    secret: await control.updateSecret(secretId, indexOf(version), required(spec)),
  }),
  removeSecret: async (control, { id }) => {
    await control.removeSecret(id);
    return {};
  },
  createConfig: async (control, { spec }) => ({
    config: await control.createConfig(required(spec)),
  }),
  updateConfig: async (control, { configId, version, spec }) => ({
    config: await control.updateConfig(configId, indexOf(version), required(spec)),
  }),
  removeConfig: async (control, { id }) => {
    await control.removeConfig(id);
    return {};
  },
};

function required<T>(value: T | undefined): T {
  if (value !== undefined) return value;
  throw new SwarmError('SWM_INVALID_ARGUMENT', 'the request has no spec');
}

function indexOf(version: Version | undefined): number {
  if (version) return version.index;
  throw new SwarmError('SWM_INVALID_ARGUMENT', 'the request has no version');
}
