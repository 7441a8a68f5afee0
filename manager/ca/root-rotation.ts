import type { Random } from '../../common/random.ts';
import type { Node, RootCA } from '../../proto/gen/swarm/objects.ts';
import { Certificate, IssuanceState, NodeState } from '../../proto/gen/swarm/types.ts';
import { wantedIssuer } from './cluster-root.ts';
import { type Issuer, sameIssuer } from './issuer.ts';
import { generateJoinToken } from './join-token.ts';
import { certificateDigest } from './root-ca.ts';

export interface RotationStep {
  /** Nodes to tell now that they must renew, at most as many as were asked for. */
  readonly tell: readonly string[];
  /** Nodes that do not show a certificate of the wanted root, these among them. */
  readonly waiting: readonly string[];
  /** True when there is a rotation and nobody is waited for. */
  readonly finished: boolean;
}

export interface RotationLimits {
  /** How many nodes may be told. */
  readonly limit: number;
  /** Nodes told so lately that what they did about it may not be known yet. */
  readonly toldLately: (nodeId: string) => boolean;
}

/**
 * What is to be done for every node to have a certificate of the root that signs now. It follows
 * from the objects alone, so that any leader can go on where another stopped, and what counts is the
 * certificate that a node says it uses, not the one that it was given.
 *
 * Without a rotation there is work only where one was replaced or given up: its certificates are
 * still good, and are to go. A node that says nothing of its certificate is waited for; one that is
 * away is told first thing when it is back.
 */
export function nextRotationStep(
  rootCa: RootCA,
  nodes: Iterable<Node>,
  { limit, toldLately }: RotationLimits,
): RotationStep {
  const issuer = wantedIssuer(rootCa);
  const rotating = rootCa.rootRotation !== undefined;
  const waiting = issuer ? [...nodes].filter((node) => isStale(node, issuer, rotating)) : [];
  const untold = waiting.filter(({ id, certificate }) => {
    return certificate?.status?.state !== IssuanceState.ROTATE && !toldLately(id);
  });
  // Those that are there can do something about it.
  const tell = untold.sort((a, b) => urgency(b) - urgency(a)).slice(0, limit);
  return {
    tell: tell.map(({ id }) => id),
    waiting: waiting.map(({ id }) => id),
    finished: rotating && waiting.length === 0,
  };
}

/** The node's record once it is told; its certificate stays good until it has the next one. */
export function toldToRotate(node: Node): Node {
  const known = node.certificate ?? Certificate.fromPartial({ role: node.role, cn: node.id });
  const status = { state: IssuanceState.ROTATE, err: '' };
  return { ...node, certificate: { ...known, status } };
}

/** The next root takes the place of the current one, and new join tokens name it. */
export function finishedRotation(rootCa: RootCA, random: Random): RootCA {
  const { rootRotation } = rootCa;
  if (!rootRotation) return rootCa;
  const digest = certificateDigest(rootRotation.caCert.toString());
  return {
    ...rootCa,
    caCert: rootRotation.caCert,
    caKey: rootRotation.caKey,
    caCertHash: `sha256:${digest.toString('hex')}`,
    joinTokens: {
      worker: generateJoinToken(digest, random),
      manager: generateJoinToken(digest, random),
    },
    rootRotation: undefined,
  };
}

function isStale({ description }: Node, wanted: Issuer, rotating: boolean): boolean {
  const { certIssuerSubject, certIssuerPublicKey } = description?.tlsInfo ?? {};
  if (!certIssuerSubject?.length || !certIssuerPublicKey?.length) return rotating;
  return !sameIssuer({ subject: certIssuerSubject, publicKey: certIssuerPublicKey }, wanted);
}

function urgency({ status }: Node): number {
  return status?.state === NodeState.READY ? 1 : 0;
}
