import { posix } from 'node:path';
import { SwarmError } from '../../common/errors.ts';
import type { MountPoint } from './record.ts';
import type { ContainerConfig, HostConfig, MountConfig } from './types.ts';

/** A mount that was asked for; a volume without a name gets one when it is made. */
export interface MountRequest {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly mode: string;
  readonly propagation: string;
  readonly nonRecursive: boolean;
  /** Make a missing bind source, as -v does and --mount does not. */
  readonly createSource: boolean;
  readonly noCopy: boolean;
  readonly subpath: string;
  readonly driver: string;
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly tmpfsOptions: string;
}

const DEFAULT_TMPFS = 'mode=1777';
const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/**
 * All mounts of a container: binds, mounts, tmpfs, those `inherited` from other containers, and the
 * image's volumes that none of these replaces. Throws SWM_INVALID_ARGUMENT with Docker's words.
 */
export function mountRequests(
  config: ContainerConfig,
  host: HostConfig,
  inherited: readonly MountRequest[] = [],
): MountRequest[] {
  const own = [
    ...(host.Binds ?? []).map(parseBind),
    ...(host.Mounts ?? []).map(fromMount),
    ...Object.entries(host.Tmpfs ?? {}).map(([target, options]) =>
      request({ type: 'tmpfs', target, tmpfsOptions: options || DEFAULT_TMPFS }),
    ),
  ];
  const targets = new Set<string>();
  for (const { target } of own) {
    if (targets.has(target)) throw invalid(`Duplicate mount point: ${target}`);
    targets.add(target);
  }
  const requests = [...own, ...inherited.filter(({ target }) => !targets.has(target))];
  for (const { target } of requests) targets.add(target);
  const volumes = Object.keys(config.Volumes ?? {}).map((path) => posix.normalize(path));
  const missing = volumes.filter((target) => !targets.has(target));
  return [...requests, ...missing.map((target) => request({ type: 'volume', target }))];
}

/** What `--volumes-from` takes from another container: its volumes and binds. */
export function inheritedMounts(
  points: readonly MountPoint[],
  init: { readOnly: boolean },
): MountRequest[] {
  return points.flatMap((point) => {
    if (point.type === 'tmpfs') return [];
    const { destination, name, nonRecursive, propagation, source, type } = point;
    const readOnly = init.readOnly || !point.readWrite;
    const from = type === 'volume' ? name : source;
    const bind = type === 'bind' ? { propagation, nonRecursive } : {};
    return [request({ type, source: from, target: destination, readOnly, ...bind })];
  });
}

/** `source:target[:mode]`, `volume:target` or just `target` for an anonymous volume. */
export function parseBind(text: string): MountRequest {
  const parts = text.split(':');
  if (parts.length > 3 || parts.some((part) => part === '')) throw invalidSpec(text);
  const [source, target, mode = ''] = parts.length === 1 ? ['', parts[0]] : parts;
  const words = mode.split(',').filter(Boolean);
  const unknown = words.filter(
    (word) => !['ro', 'rw', 'z', 'Z', 'nocopy', 'volume-nocopy', ...PROPAGATIONS].includes(word),
  );
  if (unknown.length > 0) throw invalid(`invalid mode: ${mode}`);
  const isPath = (source as string).startsWith('/');
  if (!isPath && source && !VOLUME_NAME.test(source)) throw invalidVolumeName(source);
  return request({
    type: isPath ? 'bind' : 'volume',
    source: source as string,
    target: target as string,
    readOnly: words.includes('ro'),
    mode,
    propagation: words.find((word) => PROPAGATIONS.includes(word)) ?? '',
    createSource: true,
    noCopy: words.includes('nocopy'),
  });
}

function fromMount(mount: MountConfig): MountRequest {
  const {
    Type: type,
    Source: source = '',
    Target: target = '',
    ReadOnly: readOnly = false,
  } = mount;
  if (!['bind', 'volume', 'tmpfs'].includes(type)) {
    throw invalidMount(`mount type unknown: "${type}"`);
  }
  if (!target) throw invalidMount('field Target must not be empty');
  const common = { type, source, target, readOnly };
  if (type === 'tmpfs') {
    if (source) throw invalidMount('field Source must not be specified');
    return request({ ...common, tmpfsOptions: tmpfsOptions(mount) });
  }
  if (type === 'bind') {
    if (!source) throw invalidMount('field Source must not be empty');
    if (!source.startsWith('/')) {
      throw invalid(`invalid mount path: '${source}' mount path must be absolute`);
    }
    const {
      Propagation = '',
      NonRecursive = false,
      CreateMountpoint = false,
    } = mount.BindOptions ?? {};
    return request({
      ...common,
      propagation: Propagation,
      nonRecursive: NonRecursive,
      createSource: CreateMountpoint,
    });
  }
  if (source && !VOLUME_NAME.test(source)) throw invalidVolumeName(source);
  const options = mount.VolumeOptions ?? {};
  return request({
    ...common,
    noCopy: options.NoCopy ?? false,
    subpath: options.Subpath ?? '',
    driver: options.DriverConfig?.Name ?? '',
    driverOptions: options.DriverConfig?.Options ?? {},
    labels: options.Labels ?? {},
  });
}

function tmpfsOptions({ TmpfsOptions, ReadOnly }: MountConfig): string {
  const words: string[] = [];
  if (TmpfsOptions?.SizeBytes) words.push(`size=${TmpfsOptions.SizeBytes}`);
  words.push(`mode=${(TmpfsOptions?.Mode ?? 0o1777).toString(8)}`);
  if (ReadOnly) words.push('ro');
  return words.join(',');
}

function request(
  parts: Partial<MountRequest> & { type: MountRequest['type']; target: string },
): MountRequest {
  if (!parts.target.startsWith('/')) {
    throw invalid(`invalid mount path: '${parts.target}' mount path must be absolute`);
  }
  const target = posix.normalize(parts.target).replace(/(.)\/$/, '$1');
  if (target === '/') throw invalid("invalid specification: destination can't be '/'");
  return {
    source: '',
    readOnly: false,
    mode: '',
    propagation: '',
    nonRecursive: false,
    createSource: false,
    noCopy: false,
    subpath: '',
    driver: '',
    driverOptions: {},
    labels: {},
    tmpfsOptions: '',
    ...parts,
    target,
  };
}

function invalid(message: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message);
}

const invalidMount = (why: string) => invalid(`invalid mount config: ${why}`);

const invalidSpec = (text: string) => invalid(`invalid volume specification: '${text}'`);

const invalidVolumeName = (name: string) =>
  invalid(
    `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use ' +
      'absolute path',
  );
