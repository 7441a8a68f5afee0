import { isDeepStrictEqual } from 'node:util';
import { errorMessage, SwarmError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import {
  DEFAULT_DATA_PATH_PORT,
  joinHostPort,
  resolveAddresses,
  splitHostPort,
} from './addresses.ts';
import { listInterfaces } from './interfaces.ts';
import { type NodeRecord, writeNodeRecord } from './node-files.ts';
import { followInterface } from './relocation.ts';

export interface WantedAddresses {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
}

/** The record of a node that is to have these addresses. Throws where they are none of this machine. */
export function nodeRecord(
  wanted: WantedAddresses,
  dataPathPort: number,
  managers: readonly string[],
): NodeRecord {
  const interfaces = listInterfaces();
  const addresses = resolveAddresses(wanted, interfaces);
  const record = { ...addresses, dataPathPort: dataPathPort || DEFAULT_DATA_PATH_PORT, managers };
  return followInterface(record, interfaces);
}

/**
 * `stored` as it is after this machine got other addresses, written down. Where that cannot be done
 * it is found out again next time.
 */
export async function relocated(
  stored: NodeRecord,
  { stateDir, logger }: { readonly stateDir: string; readonly logger: Logger },
): Promise<NodeRecord> {
  const record = followInterface(stored, listInterfaces());
  if (isDeepStrictEqual(record, stored)) return stored;
  const [was, is] = [stored.advertiseAddr, record.advertiseAddr];
  if (was !== is) logger.warn({ was, is }, 'this machine has another address now');
  await writeNodeRecord(stateDir, record).catch((error: unknown) => {
    logger.warn({ err: errorMessage(error) }, 'the address of this node was not stored');
  });
  return record;
}

/** The address of a manager that a user gave, with the port that it left out. */
export function managerAddr(addr: string): string {
  const parsed = splitHostPort(addr, 2377);
  if (!parsed?.host) {
    throw new SwarmError('SWM_INVALID_ARGUMENT', `"${addr}" is not an address of a manager`, {
      hint: 'give it as HOST:PORT, as `swarmctl join-token worker` prints it',
    });
  }
  return joinHostPort(parsed.host, parsed.port);
}
