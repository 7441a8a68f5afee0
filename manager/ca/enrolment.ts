import { Client, credentials as grpcCredentials } from '@grpc/grpc-js';
import { type Clock, sleep } from '../../common/clock.ts';
import { errorMessage, isSwarmError, SwarmError } from '../../common/errors.ts';
import { neverConnected } from '../../common/grpc-errors.ts';
import type { Logger } from '../../common/logger.ts';
import { type Random, shuffled } from '../../common/random.ts';
import { CAService, type GetRootCACertificateResponse } from '../../proto/gen/swarm/ca.ts';
import type { NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import { callUnary } from '../rpc.ts';
import { type Clocks, requireValid, skewWarning, validityOf } from './clock-skew.ts';
import { checkPeer, withServerName } from './credentials.ts';
import { identityOfSubject, roleToOu, type Subject } from './identity.ts';
import { type JoinToken, parseJoinToken } from './join-token.ts';
import { obtainCertificate } from './obtain-certificate.ts';
import { peerCertificate } from './peer-certificate.ts';
import { BACKDATE_MS, certificateDigest } from './root-ca.ts';
import type { NodeFiles } from './state-files.ts';
import { splitPemBundle } from './x509.ts';

const RPC_TIMEOUT_MS = 5_000;
const ROUNDS = 5;
const ROUND_PAUSE_MS = 2_000;
/** What OpenSSL says of a certificate that is not valid by the clock of this machine. */
const TIME_ERRORS = /certificate (is not yet valid|has expired)/;

export interface EnrolmentComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface EnrolmentRequest {
  /** Managers to ask, `host:port`; they are tried in random order. */
  readonly remotes: readonly string[];
  readonly token: string;
  readonly availability: NodeSpec_Availability;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes this machine a member: fetches the root certificate from a manager, trusts it only if its
 * digest is that of the token, and has a certificate signed over TLS verified by that root.
 * Throws SWM_INVALID_ARGUMENT for a bad token or a root that does not match it, SWM_UNAVAILABLE when
 * no manager answers, and SWM_FAILED_PRECONDITION when the clock here is so wrong that certificates
 * are not valid by it.
 */
export async function enrol(
  components: EnrolmentComponents,
  request: EnrolmentRequest,
): Promise<NodeFiles> {
  const token = parseJoinToken(request.token);
  for (let round = 1; ; round++) {
    try {
      return await tryEach(shuffled(components.random, request.remotes), (remote) =>
        enrolAt(components, remote, token, request),
      );
    } catch (error) {
      if (round === ROUNDS || !isUnreachable(error)) throw withAdvice(error);
      components.logger.debug({ err: errorMessage(error) }, 'no manager could be joined yet');
      await sleep(components.clock, ROUND_PAUSE_MS, request.signal);
    }
  }
}

function withAdvice(error: unknown): unknown {
  if (!neverConnected(error)) return error;
  const hint =
    'Is it the address of a manager, does swarmd run there, and is its port (2377/tcp) open from here?';
  return new SwarmError('SWM_UNAVAILABLE', errorMessage(error), { hint, cause: error });
}

/**
 * The first result of `attempt` over `remotes`. A manager that cannot be reached is passed over; any
 * other failure is final.
 */
export async function tryEach<T>(
  remotes: readonly string[],
  attempt: (remote: string) => Promise<T>,
): Promise<T> {
  let last: unknown = new SwarmError('SWM_UNAVAILABLE', 'no address of a manager is known');
  for (const remote of remotes) {
    try {
      return await attempt(remote);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      last = error;
    }
  }
  throw last;
}

function isUnreachable(error: unknown): boolean {
  return isSwarmError(
    error,
    'SWM_UNAVAILABLE',
    'SWM_TIMEOUT',
    'SWM_NO_LEADER',
    'SWM_NOT_LEADER',
    'SWM_NOT_MANAGER',
  );
}

async function enrolAt(
  components: EnrolmentComponents,
  remote: string,
  token: JoinToken,
  request: EnrolmentRequest,
): Promise<NodeFiles> {
  const { clock } = components;
  const answer = await fetchRootCa(clock, remote, request.signal);
  // The one that the token names; others that come along are told by nobody we know yet.
  const [rootCaPem = ''] = splitPemBundle(answer.certificate.toString());
  if (rootCaPem === '') throw notAManager(remote);
  if (!certificateDigest(rootCaPem).equals(token.rootDigest)) {
    const expected = token.rootDigest.toString('hex');
    throw new SwarmError(
      'SWM_INVALID_ARGUMENT',
      `remote CA does not match fingerprint. Expected: ${expected}`,
      {
        hint: `The join token is of another cluster than the manager at ${remote}, or from before its root CA was rotated.`,
      },
    );
  }
  const clocks = { ours: clock.now(), theirs: answer.unixTimeMs, remote };
  await checkClocks(components, rootCaPem, clocks);
  const client = new Client(remote, anonymousCredentials(rootCaPem));
  try {
    const files = await obtainCertificate(client, rootCaPem, {
      clock,
      token: request.token,
      availability: request.availability,
      signal: request.signal,
    });
    requireValid('the certificate that this machine got', validityOf(files.certificatePem), clocks);
    return files;
  } catch (error) {
    // The machine's own clock, by which TLS goes, may be wrong while the managers' agree with it.
    if (TIME_ERRORS.test(errorMessage(error))) await checkValidities(clock, rootCaPem, clocks);
    throw error;
  } finally {
    client.close();
  }
}

/** Where clocks differ much, it is better told before the token is used than by TLS after. */
async function checkClocks(
  { clock, logger }: EnrolmentComponents,
  rootCaPem: string,
  clocks: Clocks,
): Promise<void> {
  const warning = skewWarning(clocks);
  if (warning === undefined) return;
  await checkValidities(clock, rootCaPem, clocks);
  const begin = { notBefore: clocks.theirs - BACKDATE_MS, notAfter: Number.POSITIVE_INFINITY };
  requireValid('the certificate that this machine would get', begin, clocks);
  logger.warn({ remote: clocks.remote, skewMs: clocks.ours - clocks.theirs }, warning);
}

/** Throws SWM_FAILED_PRECONDITION unless the manager's certificate and root are valid here. */
async function checkValidities(clock: Clock, rootCaPem: string, clocks: Clocks): Promise<void> {
  requireValid('the root CA certificate of the swarm', validityOf(rootCaPem), clocks);
  const certificate = await peerCertificate(clock, clocks.remote, roleToOu(NodeRole.MANAGER));
  const what = `the certificate of the manager at ${clocks.remote}`;
  requireValid(what, validityOf(certificate), clocks);
}

function notAManager(remote: string): SwarmError {
  return new SwarmError('SWM_UNAVAILABLE', `${remote} has no root CA to tell of`);
}

/** Asks `remote` for its root, without any proof of who it is. */
async function fetchRootCa(
  clock: Clock,
  remote: string,
  signal: AbortSignal | undefined,
): Promise<GetRootCACertificateResponse> {
  const unverified = grpcCredentials.createSsl(null, null, null, { rejectUnauthorized: false });
  const client = new Client(remote, withServerName(unverified, roleToOu(NodeRole.MANAGER)));
  try {
    const options = { clock, timeoutMs: RPC_TIMEOUT_MS, signal };
    return (await callUnary(client, CAService.getRootCaCertificate, {}, options)).response;
  } finally {
    client.close();
  }
}

/** TLS without a certificate of our own, to a manager that `rootCaPem` vouches for. */
function anonymousCredentials(rootCaPem: string) {
  const verified = grpcCredentials.createSsl(Buffer.from(rootCaPem), null, null, {
    checkServerIdentity: (_host, peer) =>
      checkPeer(identityOfSubject(peer.subject as Subject), {
        role: NodeRole.MANAGER,
        clusterId: '',
        nodeId: '',
      }),
  });
  return withServerName(verified, roleToOu(NodeRole.MANAGER));
}
