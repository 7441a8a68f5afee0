import { SwarmError } from '../../../common/errors.ts';
import {
  type Mount,
  Mount_MountType as MountType,
  BindOptions_MountPropagation as Propagation,
} from '../../../proto/gen/swarm/specs.ts';
import type { MountConfig } from '../../engine/types.ts';
import { expandTemplate, type TemplateScope } from './template.ts';

/** A mount as the engine takes it, its placeholders expanded. */
export function mountConfig(mount: Mount, scope: TemplateScope): MountConfig {
  const source = expandTemplate(mount.source, scope);
  const config: MountConfig = {
    Type: engineType(mount),
    ...(source ? { Source: source } : {}),
    Target: expandTemplate(mount.target, scope),
    ReadOnly: mount.readonly,
  };
  if (mount.bindOptions) config.BindOptions = bindOptions(mount.bindOptions);
  if (mount.volumeOptions) config.VolumeOptions = volumeOptions(mount.volumeOptions, scope);
  if (mount.tmpfsOptions) {
    const { sizeBytes, mode } = mount.tmpfsOptions;
    config.TmpfsOptions = {
      ...(sizeBytes ? { SizeBytes: sizeBytes } : {}),
      ...(mode ? { Mode: mode } : {}),
    };
  }
  return config;
}

function engineType(mount: Mount): MountConfig['Type'] {
  switch (mount.type) {
    case MountType.BIND:
      return 'bind';
    case MountType.VOLUME:
      return 'volume';
    case MountType.TMPFS:
      return 'tmpfs';
    default: {
      const name = MountType[mount.type]?.toLowerCase() ?? mount.type;
      throw new SwarmError(
        'SWM_NOT_IMPLEMENTED',
        `mount ${mount.target} has type ${name}; this node can mount bind, volume and tmpfs`,
      );
    }
  }
}

function bindOptions(options: NonNullable<Mount['bindOptions']>): MountConfig['BindOptions'] {
  const { propagation, nonrecursive, createmountpoint } = options;
  return {
    Propagation: (Propagation[propagation] ?? 'RPRIVATE').toLowerCase(),
    NonRecursive: nonrecursive,
    CreateMountpoint: createmountpoint,
  };
}

function volumeOptions(
  options: NonNullable<Mount['volumeOptions']>,
  scope: TemplateScope,
): MountConfig['VolumeOptions'] {
  const { nocopy, labels, driverConfig, subpath } = options;
  return {
    NoCopy: nocopy,
    Labels: expandValues(labels, scope),
    ...(driverConfig && {
      DriverConfig: { Name: driverConfig.name, Options: expandValues(driverConfig.options, scope) },
    }),
    ...(subpath ? { Subpath: subpath } : {}),
  };
}

function expandValues(
  values: Readonly<Record<string, string>>,
  scope: TemplateScope,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, expandTemplate(value, scope)]),
  );
}
