import { InvalidArgumentError } from 'commander';
import { parseFields } from './parse.ts';

export interface PortConfig {
  Name?: string;
  Protocol: string;
  TargetPort: number;
  PublishedPort?: number;
  PublishMode: string;
}

/** `--publish` of services: [published:]target[/proto], ranges, or target=…,published=…,mode=…. */
export function parsePublish(text: string): PortConfig[] {
  return text.includes('=') ? [parseLong(text)] : parseShort(text);
}

function parseLong(text: string): PortConfig {
  const port: PortConfig = { Protocol: 'tcp', TargetPort: 0, PublishMode: 'ingress' };
  for (const [key, value] of parseFields(text)) {
    if (key === 'target') port.TargetPort = portNumber(value, text);
    else if (key === 'published') port.PublishedPort = portNumber(value, text);
    else if (key === 'protocol') port.Protocol = protocol(value, text);
    else if (key === 'name') port.Name = value;
    else if (key === 'mode' && /^(ingress|host)$/.test(value)) port.PublishMode = value;
    else throw invalid(text, `"${key}=${value}" is not understood`);
  }
  if (port.TargetPort === 0) throw invalid(text, 'missing mandatory field "target"');
  return port;
}

function parseShort(text: string): PortConfig[] {
  const match = /^(?:(\d+(?:-\d+)?)?:)?(\d+(?:-\d+)?)(?:\/(\w+))?$/.exec(text);
  if (!match) throw invalid(text, 'use [PUBLISHED:]TARGET[/PROTOCOL]');
  const targets = range(match[2] as string, text);
  const published = match[1] === undefined ? undefined : range(match[1], text);
  if (published && published.length !== targets.length) {
    throw invalid(text, 'the two ranges differ in length');
  }
  return targets.map((target, i) => ({
    Protocol: protocol(match[3] ?? 'tcp', text),
    TargetPort: target,
    ...(published ? { PublishedPort: published[i] as number } : {}),
    PublishMode: 'ingress',
  }));
}

function range(text: string, whole: string): number[] {
  const [from = '', to = from] = text.split('-');
  const first = portNumber(from, whole);
  const last = portNumber(to, whole);
  if (last < first) throw invalid(whole, `the range ${text} runs backwards`);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function portNumber(text: string, whole: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port;
  throw invalid(whole, `invalid containerPort: ${text}`);
}

function protocol(text: string, whole: string): string {
  if (['tcp', 'udp', 'sctp'].includes(text.toLowerCase())) return text.toLowerCase();
  throw invalid(whole, `"${text}" is not tcp, udp or sctp`);
}

function invalid(text: string, why: string): InvalidArgumentError {
  return new InvalidArgumentError(`"${text}": ${why}.`);
}
