import { SwarmError } from '../../common/errors.ts';
import type { HostConfig } from './types.ts';

export interface LogSettings {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** Docker keeps everything for ever; a node that fills its disk helps nobody. */
const DEFAULT_MAX_BYTES = 20 * 1024 * 1024;
const DEFAULT_MAX_FILES = 5;
const KEPT_DRIVERS = new Set(['', 'json-file', 'local']);
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Size and number of a container's log files; undefined for `none`. The drivers json-file and local
 * both mean the engine's own log. Throws SWM_INVALID_ARGUMENT for others.
 */
export function logSettings(host: HostConfig): LogSettings | undefined {
  const { Type = '', Config } = host.LogConfig ?? {};
  if (Type === 'none') return undefined;
  if (!KEPT_DRIVERS.has(Type)) {
    const message = `logger: no log driver named '${Type}' is registered`;
    throw new SwarmError('SWM_INVALID_ARGUMENT', message);
  }
  const size = Config?.['max-size'];
  const files = Config?.['max-file'];
  return {
    maxBytes: size === undefined ? DEFAULT_MAX_BYTES : parseSize(size),
    maxFiles: files === undefined ? DEFAULT_MAX_FILES : parseCount(files),
  };
}

function parseSize(text: string): number {
  if (text === '-1') return Number.POSITIVE_INFINITY;
  const [, number, unit] = /^(\d+)([kmg]?)b?$/i.exec(text.trim()) ?? [];
  const bytes = Number(number) * (UNITS[unit?.toLowerCase() ?? ''] as number);
  if (bytes > 0) return bytes;
  throw new SwarmError('SWM_INVALID_ARGUMENT', `invalid max-size: '${text}'`);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new SwarmError('SWM_INVALID_ARGUMENT', `invalid max-file: '${text}'`);
}
