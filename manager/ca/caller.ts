import { isIPv6 } from 'node:net';
import { Metadata, type ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { SwarmError } from '../../common/errors.ts';
import type { NodeRole } from '../../proto/gen/swarm/types.ts';
import type { CertificateIdentity } from '../types.ts';
import { identityOfSubject, roleToOu, type Subject } from './identity.ts';

/** The node behind a call, and where it called from. */
export interface Caller extends CertificateIdentity {
  /** IP without port; '' when it is not known. */
  readonly addr: string;
}

const NODE = 'swarm-caller-node';
const UNIT = 'swarm-caller-ou';
const CLUSTER = 'swarm-caller-cluster';
const ADDR = 'swarm-caller-addr';
const FORWARDED_BY = 'swarm-forwarded-by';
const KEYS = [NODE, UNIT, CLUSTER, ADDR, FORWARDED_BY];

/** The node that holds the other end of the connection; undefined without a trusted certificate. */
export function peerOf(call: ServerInterceptingCallInterface): CertificateIdentity | undefined {
  const certificate = call.getAuthContext().sslPeerCertificate;
  return certificate && identityOfSubject(certificate.subject as Subject);
}

/** The IP at the other end of the connection. */
export function peerAddr(call: ServerInterceptingCallInterface): string {
  const addr = call.getConnectionInfo().remoteAddress ?? '';
  return isIPv6(addr) && addr.startsWith('::ffff:') ? addr.slice('::ffff:'.length) : addr;
}

/**
 * Who calls, after the authorisation of the server has written it into the call's metadata: the node
 * itself, or the one for which another manager forwards. Undefined for a machine without a
 * certificate.
 */
export function findCaller(call: { readonly metadata: Metadata }): Caller | undefined {
  const [CN, OU, O] = [NODE, UNIT, CLUSTER].map((key) => text(call.metadata, key));
  const identity = identityOfSubject({ CN, OU, O });
  return identity && { ...identity, addr: text(call.metadata, ADDR) };
}

/** As `findCaller`, but throws SWM_UNAUTHENTICATED for callers without an identity. */
export function callerOf(call: { readonly metadata: Metadata }): Caller {
  const caller = findCaller(call);
  if (caller) return caller;
  throw new SwarmError('SWM_UNAUTHENTICATED', 'a certificate of this swarm is needed to call this');
}

/** The node id of the manager that forwarded the call; '' when it came straight. */
export function forwardedBy(call: { readonly metadata: Metadata }): string {
  return text(call.metadata, FORWARDED_BY);
}

/** Replaces whatever a client may have claimed about itself. */
export function setCaller(metadata: Metadata, caller: Partial<Caller>, forwarder = ''): void {
  clearCaller(metadata);
  if (caller.nodeId !== undefined) metadata.set(NODE, caller.nodeId);
  if (caller.role !== undefined) metadata.set(UNIT, roleToOu(caller.role));
  if (caller.clusterId !== undefined) metadata.set(CLUSTER, caller.clusterId);
  if (caller.addr) metadata.set(ADDR, caller.addr);
  if (forwarder) metadata.set(FORWARDED_BY, forwarder);
}

export function clearCaller(metadata: Metadata): void {
  for (const key of KEYS) metadata.remove(key);
}

/** True when the sender says that it passes on the call of another. */
export function claimsForwarding(metadata: Metadata): boolean {
  return text(metadata, FORWARDED_BY) !== '';
}

/** What a manager adds to a call that it forwards, for `findCaller` at the leader. */
export function forwardingMetadata(
  metadata: Metadata,
  forwarder: { readonly nodeId: string; readonly role: NodeRole },
): Metadata {
  const forwarded = new Metadata();
  for (const key of [NODE, UNIT, CLUSTER, ADDR]) {
    for (const value of metadata.get(key)) forwarded.add(key, value);
  }
  forwarded.set(FORWARDED_BY, forwarder.nodeId);
  return forwarded;
}

function text(metadata: Metadata, key: string): string {
  return metadata.get(key)[0]?.toString() ?? '';
}
