import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { CliError } from '../cli-error.ts';

export interface RestartPolicy {
  readonly Name: string;
  readonly MaximumRetryCount: number;
}

/** no, always, unless-stopped, on-failure[:max-retries] */
export function parseRestart(text: string): RestartPolicy {
  const [, name, count] = /^(no|always|unless-stopped|on-failure)(?::(\d+))?$/.exec(text) ?? [];
  if (name && (count === undefined || name === 'on-failure')) {
    return { Name: name, MaximumRetryCount: Number(count ?? 0) };
  }
  throw new InvalidArgumentError(
    `"${text}" is not no, always, unless-stopped or on-failure[:MAX-RETRIES].`,
  );
}

export interface VolumeOption {
  /** SOURCE:TARGET[:OPTIONS], or only the target of an anonymous volume. */
  readonly bind?: string;
  readonly anonymous?: string;
}

/** `--volume`. A source that begins with a dot is a path from here. */
export function parseVolume(text: string): VolumeOption {
  const [source = '', target, options, ...more] = text.split(':');
  if (target === undefined) return { anonymous: source };
  if (more.length > 0 || target === '' || source === '') {
    throw new InvalidArgumentError(`"${text}": use [SOURCE:]TARGET[:OPTIONS].`);
  }
  const path = source.startsWith('.') ? resolve(source) : source;
  return { bind: [path, target, ...(options === undefined ? [] : [options])].join(':') };
}

export interface Device {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}

/** HOST[:CONTAINER][:PERMISSIONS] */
export function parseDevice(text: string): Device {
  const [host = '', ...rest] = text.split(':');
  const permissions = rest.length > 0 && /^[rwm]+$/.test(rest.at(-1) ?? '') ? rest.pop() : 'rwm';
  const [container = host, ...more] = rest;
  if (!host.startsWith('/') || !container.startsWith('/') || more.length > 0) {
    throw new InvalidArgumentError(`"${text}": use HOST[:CONTAINER][:PERMISSIONS].`);
  }
  return { PathOnHost: host, PathInContainer: container, CgroupPermissions: permissions as string };
}

/** HOST:IP or HOST=IP, as the API wants it. */
export function parseHost(text: string): string {
  const [, host, address] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
  if (host && address) return `${host}:${address.replace(/^\[(.*)\]$/, '$1')}`;
  throw new InvalidArgumentError(`"${text}": use HOST:IP.`);
}

/** A seccomp profile is named by its file, and sent as its text. */
export function securityOption(text: string): string {
  const [, profile] = /^seccomp[=:](.+)$/.exec(text) ?? [];
  if (profile === undefined || ['unconfined', 'builtin'].includes(profile)) return text;
  try {
    return `seccomp=${JSON.stringify(JSON.parse(readFileSync(profile, 'utf8')))}`;
  } catch (error) {
    const reason = (error as Error).message;
    throw new CliError(`opening seccomp profile (${profile}) failed: ${reason}`, 125);
  }
}

const STREAMS = ['stdin', 'stdout', 'stderr'];

export function parseStream(text: string): string {
  if (STREAMS.includes(text.toLowerCase())) return text.toLowerCase();
  throw new InvalidArgumentError('Valid streams are STDIN, STDOUT and STDERR.');
}

export function parseBoolean(text: string): boolean {
  if (['1', 't', 'true'].includes(text.toLowerCase())) return true;
  if (['0', 'f', 'false'].includes(text.toLowerCase())) return false;
  throw new InvalidArgumentError(`"${text}" is not true or false.`);
}
