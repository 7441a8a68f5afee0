import {
  type BindOptions,
  Mount_MountConsistency as Consistency,
  type Mount,
  Mount_MountType as MountType,
  BindOptions_MountPropagation as Propagation,
  type TmpfsOptions,
  type VolumeOptions,
} from '../../../proto/gen/swarm/specs.ts';
import type { JsonReader } from '../http/json-reader.ts';
import {
  driverFromApi,
  driverToApi,
  nonEmpty,
  nonEmptyList,
  nonEmptyMap,
  nonZero,
  onlyTrue,
  optional,
} from './common.ts';
import { consistencies, mountTypes, propagations } from './container-words.ts';

export function mountToApi(mount: Mount) {
  const consistency = mount.consistency === Consistency.DEFAULT ? undefined : mount.consistency;
  return {
    Type: mountTypes.toWord(mount.type),
    ...nonEmpty('Source', mount.source),
    ...nonEmpty('Target', mount.target),
    ...onlyTrue('ReadOnly', mount.readonly),
    ...optional(
      'Consistency',
      consistency === undefined ? undefined : consistencies.toWord(consistency),
    ),
    ...optional('BindOptions', mount.bindOptions && bindToApi(mount.bindOptions)),
    ...optional('VolumeOptions', mount.volumeOptions && volumeToApi(mount.volumeOptions)),
    ...optional('TmpfsOptions', mount.tmpfsOptions && tmpfsToApi(mount.tmpfsOptions)),
    ...(mount.type === MountType.CLUSTER ? { ClusterOptions: {} } : {}),
  };
}

export function mountFromApi(json: JsonReader): Mount {
  const bind = json.object('BindOptions');
  const volume = json.object('VolumeOptions');
  const tmpfs = json.object('TmpfsOptions');
  return {
    type: mountTypes.fromField(json, 'Type', MountType.VOLUME),
    source: json.string('Source'),
    target: json.string('Target'),
    readonly: json.boolean('ReadOnly'),
    consistency: consistencies.fromField(json, 'Consistency', Consistency.DEFAULT),
    bindOptions: bind && bindFromApi(bind),
    volumeOptions: volume && volumeFromApi(volume),
    tmpfsOptions: tmpfs && tmpfsFromApi(tmpfs),
  };
}

function bindToApi(bind: BindOptions) {
  const usual = bind.propagation === Propagation.RPRIVATE;
  return {
    ...optional('Propagation', usual ? undefined : propagations.toWord(bind.propagation)),
    ...onlyTrue('NonRecursive', bind.nonrecursive),
    ...onlyTrue('CreateMountpoint', bind.createmountpoint),
    ...onlyTrue('ReadOnlyNonRecursive', bind.readonlynonrecursive),
    ...onlyTrue('ReadOnlyForceRecursive', bind.readonlyforcerecursive),
  };
}

function bindFromApi(json: JsonReader): BindOptions {
  return {
    propagation: propagations.fromField(json, 'Propagation', Propagation.RPRIVATE),
    nonrecursive: json.boolean('NonRecursive'),
    createmountpoint: json.boolean('CreateMountpoint'),
    readonlynonrecursive: json.boolean('ReadOnlyNonRecursive'),
    readonlyforcerecursive: json.boolean('ReadOnlyForceRecursive'),
  };
}

function volumeToApi(volume: VolumeOptions) {
  return {
    ...onlyTrue('NoCopy', volume.nocopy),
    ...nonEmptyMap('Labels', volume.labels),
    ...nonEmpty('Subpath', volume.subpath),
    ...optional('DriverConfig', driverToApi(volume.driverConfig)),
  };
}

function volumeFromApi(json: JsonReader): VolumeOptions {
  return {
    nocopy: json.boolean('NoCopy'),
    labels: json.stringMap('Labels'),
    driverConfig: driverFromApi(json.object('DriverConfig')),
    subpath: json.string('Subpath'),
  };
}

function tmpfsToApi(tmpfs: TmpfsOptions) {
  return {
    ...nonZero('SizeBytes', tmpfs.sizeBytes),
    ...nonZero('Mode', tmpfs.mode),
    ...nonEmptyList('Options', tmpfs.options === '' ? [] : optionPairs(tmpfs.options)),
  };
}

/** The API has [["noexec"],["uid","10"]]; the mount command and our spec have "noexec,uid=10". */
function tmpfsFromApi(json: JsonReader): TmpfsOptions {
  const pairs = json.raw['Options'] ?? [];
  const valid =
    Array.isArray(pairs) &&
    pairs.every(
      (pair) =>
        Array.isArray(pair) &&
        (pair.length === 1 || pair.length === 2) &&
        pair.every((part) => typeof part === 'string' && part !== '' && !/[,=]/.test(part)),
    );
  if (!valid) json.fail('Options', 'a list of [name] and [name, value]');
  return {
    sizeBytes: json.integer('SizeBytes'),
    mode: json.count('Mode'),
    options: (pairs as string[][]).map((pair) => pair.join('=')).join(','),
  };
}

function optionPairs(options: string): string[][] {
  return options.split(',').map((option) => {
    const equals = option.indexOf('=');
    return equals < 0 ? [option] : [option.slice(0, equals), option.slice(equals + 1)];
  });
}
