import {
  AppArmorOpts_AppArmorMode as AppArmor,
  Mount_MountConsistency as Consistency,
  ContainerSpec_Isolation as Isolation,
  Mount_MountType as MountType,
  BindOptions_MountPropagation as Propagation,
  SeccompOpts_SeccompMode as Seccomp,
} from '../../../proto/gen/swarm/specs.ts';
import { words } from './common.ts';

export const isolations = words({
  default: Isolation.DEFAULT,
  process: Isolation.PROCESS,
  hyperv: Isolation.HYPERV,
});

export const mountTypes = words({
  bind: MountType.BIND,
  volume: MountType.VOLUME,
  tmpfs: MountType.TMPFS,
  npipe: MountType.NPIPE,
  cluster: MountType.CLUSTER,
});

export const consistencies = words({
  default: Consistency.DEFAULT,
  consistent: Consistency.CONSISTENT,
  cached: Consistency.CACHED,
  delegated: Consistency.DELEGATED,
});

export const propagations = words({
  rprivate: Propagation.RPRIVATE,
  private: Propagation.PRIVATE,
  rshared: Propagation.RSHARED,
  shared: Propagation.SHARED,
  rslave: Propagation.RSLAVE,
  slave: Propagation.SLAVE,
});

export const seccompModes = words({
  default: Seccomp.DEFAULT,
  unconfined: Seccomp.UNCONFINED,
  custom: Seccomp.CUSTOM,
});

export const appArmorModes = words({ default: AppArmor.DEFAULT, disabled: AppArmor.DISABLED });
