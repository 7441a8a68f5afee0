import { durationMs } from '../../common/duration.ts';
import type { Duration } from '../../proto/gen/google/protobuf/duration.ts';
import {
  type ConfigReference,
  type ContainerSpec,
  type HealthConfig,
  type Mount,
  Mount_MountType,
  type SecretReference,
} from '../../proto/gen/swarm/specs.ts';
import { negative } from './validate-duration.ts';
import { validateImage } from './validate-image.ts';
import { invalid } from './validate-names.ts';

const MIN_HEALTH_MS = 1;
const OOM_SCORE_MAX = 1000;

/** Throws SWM_INVALID_ARGUMENT for a container that no node could start. */
export function validateContainer(spec: ContainerSpec): void {
  validateImage(spec.image);
  validateMounts(spec.mounts);
  validateHealth(spec.healthcheck);
  validateTargets('secret', spec.secrets.map(secretTarget));
  validateTargets('config', spec.configs.flatMap(configTarget));
  if (negative(spec.stopGracePeriod)) {
    throw invalid('ContainerSpec: stop-grace-period cannot be negative');
  }
  if (spec.pidsLimit < -1) {
    throw invalid(`invalid pids limit ${spec.pidsLimit}: must be 0 or -1 (unlimited), or more`);
  }
  if (Math.abs(spec.oomScoreAdj) > OOM_SCORE_MAX) {
    throw invalid(`invalid oom-score-adj ${spec.oomScoreAdj}: must be between -1000 and 1000`);
  }
  for (const { name, soft, hard } of spec.ulimits) {
    if (hard !== -1 && (soft > hard || soft === -1)) {
      throw invalid(`ulimit ${name}: soft limit ${soft} is above the hard limit ${hard}`);
    }
  }
}

function validateMounts(mounts: readonly Mount[]): void {
  const targets = new Set<string>();
  for (const mount of mounts) {
    const { target, source, type } = mount;
    if (targets.has(target)) throw invalid(`ContainerSpec: duplicate mount point: ${target}`);
    targets.add(target);
    if (!target.startsWith('/')) {
      throw invalid(`invalid mount target, must be an absolute path: ${target}`);
    }
    if (type === Mount_MountType.BIND && !source.startsWith('/')) {
      throw invalid(`invalid bind mount source, must be an absolute path: ${source}`);
    }
    if (type === Mount_MountType.TMPFS && source !== '') {
      throw invalid(`invalid tmpfs mount of ${target}: it has no source, and was given ${source}`);
    }
    if (type === Mount_MountType.NPIPE || type === Mount_MountType.CLUSTER) {
      const kind = Mount_MountType[type].toLowerCase();
      throw invalid(`invalid mount of ${target}: mounts of type ${kind} are not supported`);
    }
  }
}

function validateHealth(health: HealthConfig | undefined): void {
  const tooShort = (duration: Duration | undefined) => {
    const ms = durationMs(duration, 0);
    return ms !== 0 && ms < MIN_HEALTH_MS;
  };
  const names = {
    Interval: health?.interval,
    Timeout: health?.timeout,
    StartPeriod: health?.startPeriod,
    StartInterval: health?.startInterval,
  };
  for (const [name, duration] of Object.entries(names)) {
    if (tooShort(duration)) {
      throw invalid(`ContainerSpec: ${name} in HealthConfig cannot be less than 1ms`);
    }
  }
}

interface Target {
  readonly name: string;
  readonly path: string;
}

function secretTarget({ secretId, secretName, file }: SecretReference): Target {
  if (secretId === '' || secretName === '') throw invalid('malformed secret reference');
  if (!file?.name) throw invalid(`malformed file secret reference, no target file name provided`);
  return { name: secretName, path: file.name };
}

// A config may have no file of its own: the runtime uses it, e.g. as a credential specification.
function configTarget({ configId, configName, target }: ConfigReference): Target[] {
  if (configId === '' || configName === '') throw invalid('malformed config reference');
  if (target?.$case === 'runtime') return [];
  if (!target?.file.name) {
    throw invalid('malformed file config reference, no target file name provided');
  }
  return [{ name: configName, path: target.file.name }];
}

function validateTargets(kind: string, targets: readonly Target[]): void {
  const taken = new Map<string, string>();
  for (const { name, path } of targets) {
    const other = taken.get(path);
    if (other !== undefined) {
      throw invalid(
        `${kind} references '${other}' and '${name}' have a conflicting target: '${path}'`,
      );
    }
    if (path.split('/').includes('..')) {
      throw invalid(`invalid target of ${kind} '${name}': '${path}' leads out of its directory`);
    }
    taken.set(path, name);
  }
}
