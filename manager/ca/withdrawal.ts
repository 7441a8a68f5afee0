import { Client } from '@grpc/grpc-js';
import { deadline } from '../../common/deadline.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import { shuffled } from '../../common/random.ts';
import { saysRemovedFromSwarm } from '../../common/removed-node.ts';
import { NodeCAService } from '../../proto/gen/swarm/ca.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import { callUnary } from '../rpc.ts';
import { CredentialSource, createClientCredentials } from './credentials.ts';
import type { EnrolmentComponents } from './enrolment.ts';
import { identityOfCertificate } from './identity.ts';
import type { NodeFiles } from './state-files.ts';
import { tryEach } from './try-each.ts';

const LIMIT_MS = 5_000;

export interface WithdrawalRequest {
  /** Of the node that is to be forgotten. */
  readonly files: NodeFiles;
  /** Managers to tell, `host:port`; one is enough. */
  readonly remotes: readonly string[];
}

/**
 * Takes a join back that failed after the certificate was issued: the managers remove the record of
 * the node, and its certificate is void. Never rejects: whoever joins has an error of his own to
 * tell. A node of which nobody could be told is removed by the leader after a day.
 */
export async function withdraw(
  { clock, random, logger }: EnrolmentComponents,
  { files, remotes }: WithdrawalRequest,
): Promise<void> {
  const { nodeId, clusterId } = identityOfCertificate(files.certificatePem);
  const wanted = { role: NodeRole.MANAGER, clusterId, nodeId: '' };
  const credentials = createClientCredentials(new CredentialSource(files), wanted);
  const limit = deadline(clock, LIMIT_MS);
  try {
    await tryEach(shuffled(random, remotes), async (remote) => {
      const client = new Client(remote, credentials);
      try {
        const options = { clock, timeoutMs: LIMIT_MS, signal: limit.signal };
        await callUnary(client, NodeCAService.withdraw, {}, options).catch(unlessRemoved);
      } finally {
        client.close();
      }
    });
    logger.info({ nodeId }, 'the managers have forgotten this node, which could not join');
  } catch (error) {
    const details = { nodeId, err: errorMessage(error) };
    logger.warn(details, 'this node could not join, and the managers still list it');
  } finally {
    limit.cancel();
  }
}

/** Its removal ends all calls of a node, that by which it asked for it too. */
function unlessRemoved(error: unknown): void {
  if (error instanceof SwarmError && saysRemovedFromSwarm(error.message)) return;
  throw error;
}
