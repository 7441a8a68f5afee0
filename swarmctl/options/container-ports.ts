import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { parseFields } from './parse.ts';

export interface PortMapping {
  /** `80/tcp` */
  readonly port: string;
  readonly HostIp: string;
  /** A number, a range of which one is taken, or '' for any. */
  readonly HostPort: string;
}

const SHORT = /^(?:(?:(\[[0-9a-fA-F:.]*\]|[^[:]*):)?([\d-]*):)?([\d-]+)(?:\/(\w+))?$/;

/** `--publish` of containers: [[IP:][HOST]:]CONTAINER[/PROTOCOL], ranges, or target=…,published=…. */
export function parseMapping(text: string): PortMapping[] {
  const [, bracketed = '', host = '', container = '', protocol = 'tcp'] =
    SHORT.exec(text.includes('=') ? shortForm(text) : text) ?? [];
  if (container === '') throw invalid(text, 'use [[IP:][HOST]:]CONTAINER[/PROTOCOL]');
  const HostIp = bracketed.replace(/^\[(.*)\]$/, '$1');
  if (HostIp !== '' && isIP(HostIp) === 0) throw invalid(text, `invalid IP address: ${HostIp}`);
  if (!/^(tcp|udp|sctp)$/i.test(protocol)) throw invalid(text, `invalid proto: ${protocol}`);
  const targets = range(container, text, 'containerPort');
  const hosts = host === '' ? [] : range(host, text, 'hostPort');
  if (hosts.length !== 0 && hosts.length !== targets.length && targets.length !== 1) {
    throw invalid(text, 'invalid ranges specified for container and host Ports');
  }
  return targets.map((target, i) => ({
    port: `${target}/${protocol.toLowerCase()}`,
    HostIp,
    HostPort: hosts.length === targets.length ? `${hosts[i]}` : host,
  }));
}

/** `--expose`: a port or a range, with or without protocol. */
export function parseExpose(text: string): string[] {
  const [, ports, protocol = 'tcp'] = /^([\d-]+)(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  if (!ports) throw invalid(text, 'use PORT[-PORT][/PROTOCOL]');
  return range(ports, text, 'port').map((port) => `${port}/${protocol.toLowerCase()}`);
}

/** Only the fields that a container can have: it is published on its node, in any mode. */
function shortForm(text: string): string {
  const fields = Object.fromEntries(parseFields(text));
  const { target, published = '', protocol = 'tcp', mode: _mode, name: _name, ...rest } = fields;
  const [unknown] = Object.keys(rest);
  if (unknown) throw invalid(text, `"${unknown}" is not understood`);
  if (!target) throw invalid(text, 'missing mandatory field "target"');
  return `${published}:${target}/${protocol}`;
}

function range(text: string, whole: string, what: string): number[] {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (!(first >= 1 && last >= first && last <= 65_535)) {
    throw invalid(whole, `invalid ${what}: ${text}`);
  }
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function invalid(text: string, why: string): InvalidArgumentError {
  return new InvalidArgumentError(`"${text}": ${why}.`);
}
