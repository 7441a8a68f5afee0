import { SwarmError } from '../../../common/errors.ts';
import type { OciSeccomp } from './types.ts';

const EPERM = 1;
const ENOSYS = 38;
/** clone(2) flags that make namespaces, the user namespace included. */
const CLONE_NAMESPACES = 0x7e020000;

/**
 * System calls that reach into the kernel or the host, refused unless the container has the
 * capability that goes with them. Everything else is allowed.
 */
const REFUSED: readonly { capability: string; names: readonly string[] }[] = [
  {
    capability: 'CAP_SYS_ADMIN',
    names: [
      'bpf',
      'fsconfig',
      'fsmount',
      'fsopen',
      'fspick',
      'lookup_dcookie',
      'mount',
      'mount_setattr',
      'move_mount',
      'open_tree',
      'perf_event_open',
      'pivot_root',
      'quotactl',
      'quotactl_fd',
      'setns',
      'swapoff',
      'swapon',
      'umount',
      'umount2',
      'unshare',
    ],
  },
  { capability: 'CAP_DAC_READ_SEARCH', names: ['open_by_handle_at'] },
  { capability: 'CAP_SYS_BOOT', names: ['kexec_file_load', 'kexec_load', 'reboot'] },
  {
    capability: 'CAP_SYS_MODULE',
    names: ['create_module', 'delete_module', 'finit_module', 'init_module', 'query_module'],
  },
  { capability: 'CAP_SYS_NICE', names: ['get_mempolicy', 'mbind', 'set_mempolicy', 'move_pages'] },
  { capability: 'CAP_SYS_PACCT', names: ['acct'] },
  { capability: 'CAP_SYS_PTRACE', names: ['kcmp'] },
  { capability: 'CAP_SYS_RAWIO', names: ['ioperm', 'iopl'] },
  {
    capability: 'CAP_SYS_TIME',
    names: ['clock_adjtime', 'clock_settime', 'settimeofday', 'stime'],
  },
  // Of no use in a container, with or without capabilities.
  {
    capability: '',
    names: [
      '_sysctl',
      'add_key',
      'keyctl',
      'nfsservctl',
      'request_key',
      'sysfs',
      'uselib',
      'userfaultfd',
      'ustat',
      'vm86',
      'vm86old',
    ],
  },
];

/**
 * The filter of a container: none for privileged ones and with `seccomp=unconfined`, the user's
 * profile when one is given, else the list above. Throws SWM_INVALID_ARGUMENT for a bad profile.
 */
export function seccompProfile(input: {
  privileged: boolean;
  granted: readonly string[];
  hostConfig: { SecurityOpt?: string[] | null };
  seccompProfile?: string;
  features: { seccomp: boolean };
}): OciSeccomp | undefined {
  const options = input.hostConfig.SecurityOpt ?? [];
  const unconfined = options.some((option) => /^seccomp[:=]unconfined$/.test(option));
  if (input.privileged || unconfined || !input.features.seccomp) return undefined;
  if (input.seccompProfile !== undefined) return parseProfile(input.seccompProfile);
  return defaultProfile(input.granted);
}

function defaultProfile(granted: readonly string[]): OciSeccomp {
  const names = REFUSED.filter(({ capability }) => !granted.includes(capability)).flatMap(
    (group) => group.names,
  );
  const refused = { names, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM };
  if (granted.includes('CAP_SYS_ADMIN')) {
    return { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [refused] };
  }
  // The flags of clone3 are behind a pointer; without it, libraries fall back to clone.
  const clone3 = { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS };
  const syscalls = [refused, clone3, ...cloneRules()];
  return { defaultAction: 'SCMP_ACT_ALLOW', syscalls };
}

/** One rule for each namespace flag: a rule compares a masked argument with one value. */
function cloneRules(): OciSeccomp['syscalls'] {
  const rules: OciSeccomp['syscalls'] = [];
  for (let flag = 1; flag <= CLONE_NAMESPACES; flag *= 2) {
    if ((CLONE_NAMESPACES & flag) === 0) continue;
    const args = [{ index: 0, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' }];
    rules.push({ names: ['clone'], action: 'SCMP_ACT_ERRNO', errnoRet: EPERM, args });
  }
  return rules;
}

function parseProfile(text: string): OciSeccomp {
  try {
    const profile = JSON.parse(text) as OciSeccomp;
    if (typeof profile.defaultAction === 'string') return profile;
  } catch {
    // Answered below, as a profile that is JSON but no profile.
  }
  throw new SwarmError('SWM_INVALID_ARGUMENT', 'Decoding seccomp profile failed', {
    hint: 'Pass the JSON of an OCI seccomp profile, with defaultAction and syscalls.',
  });
}
