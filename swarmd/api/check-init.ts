import { SwarmError } from '../../common/errors.ts';
import { validateCluster } from '../../manager/index.ts';
import type { ClusterSpec } from '../../proto/gen/swarm/specs.ts';
import { parseCidr } from './cidr.ts';
import { badRequest } from './http/errors.ts';
import type { InitRequest } from './node-api.ts';

const MIN_DATA_PORT = 1024;
const MAX_DATA_PORT = 49_151;
const MAX_SUBNET_SIZE = 29;

/** Refuses what can never be right; addresses of this machine are checked by the node. */
export function checkInit(init: InitRequest): void {
  const port = init.dataPathPort;
  if (port !== 0 && (port < MIN_DATA_PORT || port > MAX_DATA_PORT)) {
    throw badRequest(
      `Datapath port number is not in valid range (${MIN_DATA_PORT}-${MAX_DATA_PORT}) : ${port}`,
    );
  }
  validateCluster(init.spec);
  checkRoot(init.spec);
  checkPools(init);
}

/** The root of a new swarm is made with it, and no other CA can sign for that one. */
function checkRoot({ caConfig }: ClusterSpec): void {
  const { externalCas = [], signingCaCert, signingCaKey } = caConfig ?? {};
  const hint = 'Begin the swarm without it, and then use "swarmctl ca --rotate --ca-cert FILE …".';
  if (signingCaCert?.length || signingCaKey?.length) {
    const message = 'a new swarm makes its root CA itself, and was given one';
    throw new SwarmError('SWM_INVALID_ARGUMENT', message, { hint });
  }
  const unnamed = externalCas.find(({ caCert }) => caCert.length === 0);
  if (!unnamed) return;
  const message = `the external CA at ${unnamed.url} names no root CA (cacert), and cannot sign for that of a new swarm`;
  throw new SwarmError('SWM_INVALID_ARGUMENT', message, { hint });
}

function checkPools({ defaultAddrPool, subnetSize }: InitRequest): void {
  if (subnetSize > MAX_SUBNET_SIZE) throw badRequest(`subnet size is out of range: ${subnetSize}`);
  for (const text of defaultAddrPool) {
    const pool = parseCidr(text);
    if (!pool) {
      throw badRequest(
        `invalid default address pool: wanted a subnet such as 10.20.0.0/16, found "${text}"`,
      );
    }
    if (subnetSize !== 0 && pool.address.kind() === 'ipv4' && subnetSize < pool.length) {
      throw badRequest(`subnet size is out of range: ${subnetSize} (the pool ${text} is smaller)`);
    }
  }
}
