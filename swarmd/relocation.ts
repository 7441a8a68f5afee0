import { type InterfaceAddress, joinHostPort, splitHostPort } from './addresses.ts';
import type { NodeRecord } from './node-files.ts';

/**
 * The record of a node whose machine may have got another address since it was written: the node
 * follows the interface that had the address which it advertised. It stays where it is when that cannot
 * be told for sure: nothing is known of the interface, or it has no address of that family, or several.
 */
export function followInterface(
  record: NodeRecord,
  interfaces: readonly InterfaceAddress[],
): NodeRecord {
  const host = splitHostPort(record.advertiseAddr, 0)?.host ?? '';
  const holder = interfaces.find(({ address }) => address === host);
  if (holder) return { ...record, advertiseInterface: holder.ifname };
  const successor = successorOf(host, record.advertiseInterface, interfaces);
  if (successor === undefined) return record;
  return {
    ...record,
    listenAddr: moved(record.listenAddr, host, successor),
    advertiseAddr: moved(record.advertiseAddr, host, successor),
    dataPathAddr: record.dataPathAddr === host ? successor : record.dataPathAddr,
  };
}

function successorOf(
  host: string,
  ifname: string | undefined,
  interfaces: readonly InterfaceAddress[],
): string | undefined {
  const family = host.includes(':') ? 6 : 4;
  const [only, ...others] = interfaces.filter(
    (entry) => entry.ifname === ifname && entry.usable && entry.family === family,
  );
  return others.length === 0 ? only?.address : undefined;
}

/** `addr` with `successor` for its host, if that is `host`. */
function moved(addr: string, host: string, successor: string): string {
  const parts = splitHostPort(addr, 0);
  return parts?.host === host ? joinHostPort(successor, parts.port) : addr;
}
