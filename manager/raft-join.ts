import { Client, type ClientOptions, type ServiceError } from '@grpc/grpc-js';
import { type Clock, sleep } from '../common/clock.ts';
import { errorMessage, isSwarmError, SwarmError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import { type Random, shuffled } from '../common/random.ts';
import { CAService } from '../proto/gen/swarm/ca.ts';
import {
  RaftMembershipServiceService as MembershipService,
  type RaftJoinResponse,
} from '../proto/gen/swarm/raft.ts';
import { NodeRole } from '../proto/gen/swarm/types.ts';
import { LEADER_KEY } from './consensus/index.ts';
import { callUnary } from './rpc.ts';
import type { SecurityConfigApi } from './types.ts';

const JOIN_TIMEOUT_MS = 15_000;
const ROUNDS = 10;
const PAUSE_MS = 1_000;
const MAX_REDIRECTS = 3;

export interface RaftJoinComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly securityConfig: Pick<SecurityConfigApi, 'clientCredentials'>;
  readonly clientOptions?: ClientOptions | undefined;
}

/**
 * Asks to become a Raft member: any of `remotes`, which names the leader if it is not the one.
 * `addr` is where the leader calls back, so this manager must listen there already.
 */
export async function requestRaftJoin(
  components: RaftJoinComponents,
  remotes: readonly string[],
  addr: string,
  signal: AbortSignal,
): Promise<RaftJoinResponse> {
  const join = (remote: string) => joinVia(components, remote, addr, signal);
  return persistently(components, remotes, join, signal);
}

/** What managers lock their files with, from one of `remotes`; undefined while they do not. */
export async function requestUnlockKey(
  components: RaftJoinComponents,
  remotes: readonly string[],
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const ask = async (remote: string) => {
    const { clock } = components;
    const client = clientOf(components, remote);
    try {
      const options = { timeoutMs: JOIN_TIMEOUT_MS, signal, clock };
      return (await callUnary(client, CAService.getUnlockKey, {}, options)).response.unlockKey;
    } finally {
      client.close();
    }
  };
  const key = await persistently(components, remotes, ask, signal);
  return key.length > 0 ? key : undefined;
}

/** The first result of `attempt` over `remotes`, each asked several times. */
async function persistently<T>(
  { clock, random, logger }: RaftJoinComponents,
  remotes: readonly string[],
  attempt: (remote: string) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  let failure: unknown = new SwarmError('SWM_UNAVAILABLE', 'no other manager is known to join');
  for (let round = 0; round < ROUNDS; round++) {
    if (round > 0) await sleep(clock, PAUSE_MS, signal);
    for (const remote of shuffled(random, remotes)) {
      try {
        return await attempt(remote);
      } catch (error) {
        signal.throwIfAborted();
        if (isFinal(error)) throw error;
        logger.debug({ remote, err: errorMessage(error) }, 'joining the managers failed so far');
        failure = error;
      }
    }
  }
  throw failure;
}

async function joinVia(
  components: RaftJoinComponents,
  remote: string,
  addr: string,
  signal: AbortSignal,
): Promise<RaftJoinResponse> {
  for (let target = remote, redirects = 0; ; redirects++) {
    try {
      return await joinAt(components, target, addr, signal);
    } catch (error) {
      const leader = leaderNamedBy(error);
      if (!leader || redirects === MAX_REDIRECTS) throw error;
      target = leader;
    }
  }
}

async function joinAt(
  components: RaftJoinComponents,
  target: string,
  addr: string,
  signal: AbortSignal,
): Promise<RaftJoinResponse> {
  const { clock } = components;
  const client = clientOf(components, target);
  try {
    const options = { timeoutMs: JOIN_TIMEOUT_MS, signal, clock };
    const request = { addr, raftId: 0 };
    return (await callUnary(client, MembershipService.join, request, options)).response;
  } finally {
    client.close();
  }
}

function clientOf(components: RaftJoinComponents, target: string): Client {
  const { securityConfig, clientOptions } = components;
  return new Client(target, securityConfig.clientCredentials(NodeRole.MANAGER), clientOptions);
}

function leaderNamedBy(error: unknown): string | undefined {
  const failure = (error as Error).cause as Partial<ServiceError> | undefined;
  return failure?.metadata?.get?.(LEADER_KEY)[0]?.toString();
}

/** What another try cannot change: the leader cannot reach us, or will not have us. */
function isFinal(error: unknown): boolean {
  return isSwarmError(error, 'SWM_FAILED_PRECONDITION', 'SWM_PERMISSION_DENIED');
}
