import { Client, credentials as grpcCredentials } from '@grpc/grpc-js';
import { onAbort } from '../../common/abort.ts';
import { type Clock, sleep, type Timer } from '../../common/clock.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
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
import { isUnreachable, tryEach } from './try-each.ts';
import { withdraw } from './withdrawal.ts';
import { type CertificateRequest, createCertificateRequest, splitPemBundle } from './x509.ts';

const RPC_TIMEOUT_MS = 5_000;
const ROUNDS = 5;
const ROUND_PAUSE_MS = 2_000;
/** What was asked for is mostly there by then. */
const FINISH_MS = 1_000;
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
 * Where the certificate cannot be used after all, the node that it was issued for is withdrawn.
 * Throws SWM_INVALID_ARGUMENT for a bad token or a root that does not match it, SWM_UNAVAILABLE when
 * no manager answers, and SWM_FAILED_PRECONDITION when the clock here is so wrong that certificates
 * are not valid by it.
 */
export async function enrol(
  components: EnrolmentComponents,
  request: EnrolmentRequest,
): Promise<NodeFiles> {
  const token = parseJoinToken(request.token);
  // One key for all attempts: a manager that was not heard does not admit this machine twice.
  const key = await createCertificateRequest();
  for (let round = 1; ; round++) {
    try {
      return await tryEach(shuffled(components.random, request.remotes), (remote) =>
        enrolAt(components, remote, { ...request, key }, token),
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

async function enrolAt(
  components: EnrolmentComponents,
  remote: string,
  request: EnrolmentRequest & { readonly key: CertificateRequest },
  token: JoinToken,
): Promise<NodeFiles> {
  const { clock } = components;
  const answer = await fetchRootCa(clock, remote, request.signal);
  const rootCaPem = namedRoot(answer, token, remote);
  const clocks = { ours: clock.now(), theirs: answer.unixTimeMs, remote };
  await checkClocks(components, rootCaPem, clocks);
  const client = new Client(remote, anonymousCredentials(rootCaPem));
  try {
    const { key, availability, signal } = request;
    const options = { clock, token: request.token, request: key, availability };
    const files = await finishing(clock, signal, (late) =>
      obtainCertificate(client, rootCaPem, { ...options, signal: late }),
    );
    await usable(components, files, clocks, signal);
    return files;
  } catch (error) {
    // The machine's own clock, by which TLS goes, may be wrong while the managers' agree with it.
    if (TIME_ERRORS.test(errorMessage(error))) await checkValidities(clock, rootCaPem, clocks);
    throw error;
  } finally {
    client.close();
  }
}

/** The root that the token names; others that come along are told by nobody we know yet. */
function namedRoot(
  { certificate }: GetRootCACertificateResponse,
  token: JoinToken,
  remote: string,
): string {
  const [rootCaPem = ''] = splitPemBundle(certificate.toString());
  if (rootCaPem === '') throw notAManager(remote);
  if (certificateDigest(rootCaPem).equals(token.rootDigest)) return rootCaPem;
  const expected = token.rootDigest.toString('hex');
  throw new SwarmError(
    'SWM_INVALID_ARGUMENT',
    `remote CA does not match fingerprint. Expected: ${expected}`,
    {
      hint: `The join token is of another cluster than the manager at ${remote}, or from before its root CA was rotated.`,
    },
  );
}

/** Lets `exchange` go on for a moment after `signal`: who has a certificate can give it back. */
async function finishing<T>(
  clock: Clock,
  signal: AbortSignal | undefined,
  exchange: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const end = new AbortController();
  let timer: Timer | undefined;
  const forget =
    signal &&
    onAbort(signal, () => {
      timer = clock.setTimer(FINISH_MS, () => end.abort(signal.reason));
    });
  try {
    return await exchange(end.signal);
  } finally {
    forget?.();
    timer?.cancel();
  }
}

/** Throws, after the node is withdrawn, where this machine cannot be a member with `files`. */
async function usable(
  components: EnrolmentComponents,
  files: NodeFiles,
  clocks: Clocks,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    requireValid('the certificate that this machine got', validityOf(files.certificatePem), clocks);
    signal?.throwIfAborted();
  } catch (error) {
    await withdraw(components, { files, remotes: [clocks.remote] });
    throw error;
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
