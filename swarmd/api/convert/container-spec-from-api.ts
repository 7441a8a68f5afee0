import {
  AppArmorOpts_AppArmorMode as AppArmor,
  type ConfigReference,
  ContainerSpec,
  type CredentialSpec,
  type FileTarget,
  type HealthConfig,
  ContainerSpec_Isolation as Isolation,
  type Privileges,
  SeccompOpts_SeccompMode as Seccomp,
} from '../../../proto/gen/swarm/specs.ts';
import { badRequest } from '../http/errors.ts';
import type { JsonReader } from '../http/json-reader.ts';
import { durationFromApi } from './common.ts';
import { appArmorModes, isolations, seccompModes } from './container-words.ts';
import { mountFromApi } from './mount.ts';

/** Throws SWM_INVALID_ARGUMENT on fields of a wrong type; what they mean is judged elsewhere. */
export function containerSpecFromApi(json: JsonReader, pidsLimit: number): ContainerSpec {
  const privileges = json.object('Privileges');
  const health = json.object('Healthcheck');
  return ContainerSpec.fromPartial({
    image: json.string('Image'),
    labels: json.stringMap('Labels'),
    ...processFromApi(json),
    ...(privileges ? { privileges: privilegesFromApi(privileges) } : {}),
    stopSignal: json.string('StopSignal'),
    tty: json.boolean('TTY'),
    openStdin: json.boolean('OpenStdin'),
    readOnly: json.boolean('ReadOnly'),
    mounts: json.objects('Mounts').map(mountFromApi),
    stopGracePeriod: durationFromApi(json, 'StopGracePeriod'),
    ...(health ? { healthcheck: healthFromApi(health) } : {}),
    hosts: json.strings('Hosts'),
    dnsConfig: dnsFromApi(json.object('DNSConfig')),
    secrets: json.objects('Secrets').map(secretReferenceFromApi),
    configs: json.objects('Configs').map(configReferenceFromApi),
    isolation: isolations.fromField(json, 'Isolation', Isolation.DEFAULT),
    pidsLimit,
    sysctls: json.stringMap('Sysctls'),
    capabilityAdd: json.strings('CapabilityAdd'),
    capabilityDrop: json.strings('CapabilityDrop'),
    ulimits: json.objects('Ulimits').map((ulimit) => ({
      name: ulimit.string('Name'),
      soft: ulimit.integer('Soft'),
      hard: ulimit.integer('Hard'),
    })),
    oomScoreAdj: json.integer('OomScoreAdj'),
  });
}

function processFromApi(json: JsonReader) {
  return {
    command: json.words('Command'),
    args: json.words('Args'),
    hostname: json.string('Hostname'),
    env: json.strings('Env'),
    dir: json.string('Dir'),
    user: json.string('User'),
    groups: json.strings('Groups'),
    init: json.optionalBoolean('Init'),
  };
}

function privilegesFromApi(json: JsonReader): Privileges {
  const credentials = json.object('CredentialSpec');
  const selinux = json.object('SELinuxContext');
  const seccomp = json.object('Seccomp');
  const apparmor = json.object('AppArmor');
  return {
    credentialSpec: credentials && credentialsFromApi(credentials),
    selinuxContext: selinux && {
      disable: selinux.boolean('Disable'),
      user: selinux.string('User'),
      role: selinux.string('Role'),
      type: selinux.string('Type'),
      level: selinux.string('Level'),
    },
    seccomp: seccomp && {
      mode: seccompModes.fromField(seccomp, 'Mode', Seccomp.DEFAULT),
      profile: seccomp.bytes('Profile'),
    },
    apparmor: apparmor && { mode: appArmorModes.fromField(apparmor, 'Mode', AppArmor.DEFAULT) },
    noNewPrivileges: json.boolean('NoNewPrivileges'),
  };
}

function credentialsFromApi(json: JsonReader): CredentialSpec {
  const [file, registry, config] = ['File', 'Registry', 'Config'].map((key) => json.string(key));
  const given = [file, registry, config].filter(Boolean).length;
  if (given !== 1) {
    throw badRequest(
      'invalid CredentialSpec: exactly one of File, Registry and Config must be set, ' +
        `found ${given}`,
    );
  }
  if (file) return { source: { $case: 'file', file } };
  if (registry) return { source: { $case: 'registry', registry } };
  return { source: { $case: 'config', config: config ?? '' } };
}

function healthFromApi(json: JsonReader): HealthConfig {
  return {
    test: json.words('Test'),
    interval: durationFromApi(json, 'Interval'),
    timeout: durationFromApi(json, 'Timeout'),
    retries: json.count('Retries'),
    startPeriod: durationFromApi(json, 'StartPeriod'),
    startInterval: durationFromApi(json, 'StartInterval'),
  };
}

function dnsFromApi(json: JsonReader | undefined) {
  return (
    json && {
      nameservers: json.strings('Nameservers'),
      search: json.strings('Search'),
      options: json.strings('Options'),
    }
  );
}

function secretReferenceFromApi(json: JsonReader) {
  const file = json.object('File');
  return {
    secretId: json.string('SecretID'),
    secretName: json.string('SecretName'),
    file: file && fileFromApi(file),
  };
}

function configReferenceFromApi(json: JsonReader): ConfigReference {
  const file = json.object('File');
  const named = { configId: json.string('ConfigID'), configName: json.string('ConfigName') };
  if (file) return { ...named, target: { $case: 'file', file: fileFromApi(file) } };
  if (json.has('Runtime')) return { ...named, target: { $case: 'runtime', runtime: {} } };
  return { ...named, target: undefined };
}

function fileFromApi(json: JsonReader): FileTarget {
  return {
    name: json.string('Name'),
    uid: json.string('UID'),
    gid: json.string('GID'),
    mode: json.count('Mode'),
  };
}
