import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { SwarmError } from '../../common/errors.ts';
import { MountFlag, mount, unmount } from '../runtime/libc.ts';

/** What the options `type`, `device` and `o` of a local volume ask mount(2) to do. */
export interface VolumeMount {
  readonly type: string;
  readonly device: string;
  readonly flags: number;
  readonly data: string;
}

const OPTIONS = new Set(['type', 'device', 'o']);

const FLAGS: Readonly<Record<string, number>> = {
  ro: MountFlag.readOnly,
  rw: 0,
  nosuid: MountFlag.noSuid,
  nodev: MountFlag.noDev,
  noexec: MountFlag.noExec,
  bind: MountFlag.bind,
  rbind: MountFlag.bind | MountFlag.recursive,
};

/** Undefined for a plain directory. Throws SWM_INVALID_ARGUMENT. */
export function volumeMount(
  name: string,
  options: Readonly<Record<string, string>>,
): VolumeMount | undefined {
  const unknown = Object.keys(options).find((key) => !OPTIONS.has(key));
  if (unknown) throw invalid(name, `invalid option: "${unknown}"`);
  const { type = '', device = '', o = '' } = options;
  if (!type && !device && !o) return undefined;
  const words = o.split(',').filter(Boolean);
  const isBind = words.some((word) => word === 'bind' || word === 'rbind');
  if (!type && !isBind) throw invalid(name, 'missing required option: "type"');
  if (!device) throw invalid(name, 'missing required option: "device"');
  return {
    type,
    device,
    flags: words.reduce((sum, word) => sum | (FLAGS[word] ?? 0), 0),
    data: words.filter((word) => !(word in FLAGS)).join(','),
  };
}

/** Network file systems want their server's address as a number. */
export async function mountVolume(wanted: VolumeMount, target: string): Promise<void> {
  const data = await withNumericAddress(wanted.data);
  mount(wanted.device, target, wanted.type, wanted.flags, data);
}

export function isMounted(target: string): boolean {
  const escaped = target.replaceAll(' ', '\\040');
  return readFileSync('/proc/self/mounts', 'utf8').includes(` ${escaped} `);
}

export function unmountVolume(target: string): void {
  if (isMounted(target)) unmount(target);
}

async function withNumericAddress(data: string): Promise<string> {
  const words = data.split(',');
  const index = words.findIndex((word) => word.startsWith('addr='));
  const host = words[index]?.slice('addr='.length) ?? '';
  if (index < 0 || isIP(host)) return data;
  const { address } = await lookup(host);
  return words.with(index, `addr=${address}`).join(',');
}

function invalid(name: string, why: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', `create ${name}: ${why}`);
}
