import { durationMs } from '../../common/duration.ts';
import { parseCidr } from './cidr.ts';
import { badRequest } from './http/errors.ts';
import type { InitRequest } from './node-api.ts';

const MIN_DATA_PORT = 1024;
const MAX_DATA_PORT = 49_151;
const MAX_SUBNET_SIZE = 29;
const MIN_EXPIRY_MS = 3_600_000;

/** Refuses what can never be right; addresses of this machine are checked by the node. */
export function checkInit(init: InitRequest): void {
  const port = init.dataPathPort;
  if (port !== 0 && (port < MIN_DATA_PORT || port > MAX_DATA_PORT)) {
    throw badRequest(
      `Datapath port number is not in valid range (${MIN_DATA_PORT}-${MAX_DATA_PORT}) : ${port}`,
    );
  }
  if (init.spec.annotations?.name !== 'default') {
    throw badRequest('swarm spec must be named "default"');
  }
  if (durationMs(init.spec.caConfig?.nodeCertExpiry, MIN_EXPIRY_MS) < MIN_EXPIRY_MS) {
    throw badRequest('minimum certificate expiry time is: 1h0m0s');
  }
  checkPools(init);
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
