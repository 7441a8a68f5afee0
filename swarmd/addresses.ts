import { isIP } from 'node:net';
import { SwarmError } from '../common/errors.ts';

const DEFAULT_PORT = 2377;
export const DEFAULT_DATA_PATH_PORT = 4789;

/** One address of one interface of this machine. */
export interface InterfaceAddress {
  readonly ifname: string;
  readonly address: string;
  readonly family: 4 | 6;
  /** Loopback, link-local or of a network that we made ourselves: never chosen, only when named. */
  readonly usable: boolean;
}

export interface AddressRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
}

export interface NodeAddresses {
  /** host:port the manager's gRPC server listens on. */
  readonly listenAddr: string;
  /** host:port the others reach it by. */
  readonly advertiseAddr: string;
  /** IP of the VXLAN tunnel. */
  readonly dataPathAddr: string;
}

const ADVERTISE =
  'advertise address must be a non-zero IP address or network interface (with optional port number)';
const LISTEN =
  'listen address must be an IP address or network interface (with optional port number)';
const DATA_PATH =
  'data path address must be a non-zero IP address or network interface (without a port number)';

/**
 * What `--listen-addr`, `--advertise-addr` and `--data-path-addr` mean on a machine with these
 * interfaces. Throws SWM_INVALID_ARGUMENT in Docker's words.
 */
export function resolveAddresses(
  request: AddressRequest,
  interfaces: readonly InterfaceAddress[],
): NodeAddresses {
  const listen = resolveListen(request.listenAddr || `0.0.0.0:${DEFAULT_PORT}`, interfaces);
  const advertise = resolveAdvertise(request.advertiseAddr, listen, interfaces);
  return {
    listenAddr: joinHostPort(listen.host, listen.port),
    advertiseAddr: joinHostPort(advertise.host, advertise.port),
    dataPathAddr: resolveDataPath(request.dataPathAddr, advertise.host, interfaces),
  };
}

/** Splits "host:port", "[v6]:port" or "host"; undefined when the port is none. */
export function splitHostPort(text: string, defaultPort: number): HostPort | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text);
  const plain = isIP(text) === 6 ? [text, text, undefined] : /^([^:]*)(?::(\d+))?$/.exec(text);
  const match = bracketed ?? plain;
  if (!match) return undefined;
  const port = match[2] === undefined ? defaultPort : Number(match[2]);
  if (port < 1 || port > 65535) return undefined;
  return { host: match[1] ?? '', port };
}

export function joinHostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

interface HostPort {
  readonly host: string;
  readonly port: number;
}

function resolveListen(text: string, interfaces: readonly InterfaceAddress[]): HostPort {
  const parsed = splitHostPort(text, DEFAULT_PORT);
  if (!parsed) throw invalid(LISTEN);
  if (parsed.host === '') return { host: '0.0.0.0', port: parsed.port };
  if (isIP(parsed.host)) return parsed;
  return { host: addressOf(parsed.host, interfaces, LISTEN), port: parsed.port };
}

function resolveAdvertise(
  text: string,
  listen: HostPort,
  interfaces: readonly InterfaceAddress[],
): HostPort {
  if (text === '') {
    const host = isUnspecified(listen.host) ? theOnlyAddress(interfaces) : listen.host;
    return { host, port: listen.port };
  }
  const parsed = splitHostPort(text, listen.port);
  if (!parsed || parsed.host === '' || isUnspecified(parsed.host)) throw invalid(ADVERTISE);
  if (isIP(parsed.host)) return parsed;
  return { host: addressOf(parsed.host, interfaces, ADVERTISE), port: parsed.port };
}

function resolveDataPath(
  text: string,
  advertised: string,
  interfaces: readonly InterfaceAddress[],
): string {
  if (text === '') return advertised;
  if (isUnspecified(text)) throw invalid(DATA_PATH);
  if (isIP(text)) return text;
  if (text.includes(':')) throw invalid(DATA_PATH);
  return addressOf(text, interfaces, DATA_PATH);
}

function addressOf(
  ifname: string,
  interfaces: readonly InterfaceAddress[],
  notFound: string,
): string {
  const own = interfaces.filter((entry) => entry.ifname === ifname);
  if (own.length === 0) throw invalid(notFound);
  const candidates = own.filter((entry) => !entry.address.startsWith('fe80:'));
  const preferred = candidates.filter((entry) => entry.family === 4);
  const pool = preferred.length > 0 ? preferred : candidates;
  if (pool.length === 0) throw invalid(`interface ${ifname} has no usable IPv4 or IPv6 address`);
  if (pool.length > 1) {
    const list = pool.map((entry) => entry.address).join(' and ');
    throw invalid(`interface ${ifname} has more than one address (${list})`, 'name one of them');
  }
  return (pool[0] as InterfaceAddress).address;
}

function theOnlyAddress(interfaces: readonly InterfaceAddress[]): string {
  const usable = interfaces.filter((entry) => entry.usable);
  const v4 = usable.filter((entry) => entry.family === 4);
  const pool = v4.length > 0 ? v4 : usable;
  const [first, second] = pool;
  if (!first) throw invalid("could not find the system's IP address");
  if (!second) return first.address;
  const same = first.ifname === second.ifname;
  const where = same
    ? `on interface ${first.ifname} (${first.address} and ${second.address})`
    : `on different interfaces (${first.address} on ${first.ifname} and ${second.address} on ${second.ifname})`;
  throw invalid(
    `could not choose an IP address to advertise since this system has multiple addresses ${where}`,
  );
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function invalid(message: string, hint?: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message, hint ? { hint } : {});
}

/** The address at which this machine itself can connect to a listener on `listenAddr`. */
export function dialable(listenAddr: string): string {
  const { host, port } = splitHostPort(listenAddr, DEFAULT_PORT) ?? {};
  if (host === undefined || port === undefined) return listenAddr;
  const loopback = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' }[host];
  return joinHostPort(loopback ?? host, port);
}

/** `addr` without its port, and without the brackets of IPv6. */
export function hostOf(addr: string): string {
  return splitHostPort(addr, 0)?.host ?? addr;
}
