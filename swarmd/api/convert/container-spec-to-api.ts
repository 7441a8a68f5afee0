import type {
  ConfigReference,
  ContainerSpec,
  CredentialSpec,
  FileTarget,
  HealthConfig,
  Privileges,
} from '../../../proto/gen/swarm/specs.ts';
import {
  durationToApi,
  nonEmpty,
  nonEmptyList,
  nonEmptyMap,
  nonZero,
  onlyTrue,
  optional,
} from './common.ts';
import { appArmorModes, isolations, seccompModes } from './container-words.ts';
import { mountToApi } from './mount.ts';

/** A container spec in the API's JSON. Registry credentials are never shown. */
export function containerSpecToApi(spec: ContainerSpec) {
  return {
    Image: spec.image,
    ...nonEmptyMap('Labels', spec.labels),
    ...processToApi(spec),
    ...optional('Privileges', spec.privileges && privilegesToApi(spec.privileges)),
    ...nonEmpty('StopSignal', spec.stopSignal),
    ...onlyTrue('TTY', spec.tty),
    ...onlyTrue('OpenStdin', spec.openStdin),
    ...onlyTrue('ReadOnly', spec.readOnly),
    ...nonEmptyList('Mounts', spec.mounts.map(mountToApi)),
    ...durationToApi('StopGracePeriod', spec.stopGracePeriod),
    ...optional('Healthcheck', spec.healthcheck && healthToApi(spec.healthcheck)),
    ...nonEmptyList('Hosts', spec.hosts),
    ...optional('DNSConfig', spec.dnsConfig && dnsToApi(spec.dnsConfig)),
    ...nonEmptyList('Secrets', spec.secrets.map(secretReferenceToApi)),
    ...nonEmptyList('Configs', spec.configs.map(configReferenceToApi)),
    Isolation: isolations.toWord(spec.isolation),
    ...nonEmptyMap('Sysctls', spec.sysctls),
    ...nonEmptyList('CapabilityAdd', spec.capabilityAdd),
    ...nonEmptyList('CapabilityDrop', spec.capabilityDrop),
    ...nonEmptyList(
      'Ulimits',
      spec.ulimits.map(({ name, hard, soft }) => ({ Name: name, Hard: hard, Soft: soft })),
    ),
    ...nonZero('OomScoreAdj', spec.oomScoreAdj),
  };
}

function processToApi(spec: ContainerSpec) {
  return {
    ...nonEmptyList('Command', spec.command),
    ...nonEmptyList('Args', spec.args),
    ...nonEmpty('Hostname', spec.hostname),
    ...nonEmptyList('Env', spec.env),
    ...nonEmpty('Dir', spec.dir),
    ...nonEmpty('User', spec.user),
    ...nonEmptyList('Groups', spec.groups),
    ...optional('Init', spec.init),
  };
}

function privilegesToApi(privileges: Privileges) {
  const { selinuxContext: selinux, seccomp, apparmor } = privileges;
  return {
    CredentialSpec: privileges.credentialSpec ? credentialsToApi(privileges.credentialSpec) : null,
    SELinuxContext: selinux
      ? {
          Disable: selinux.disable,
          User: selinux.user,
          Role: selinux.role,
          Type: selinux.type,
          Level: selinux.level,
        }
      : null,
    ...optional(
      'Seccomp',
      seccomp && {
        ...nonEmpty('Mode', seccompModes.toWord(seccomp.mode)),
        ...nonEmpty('Profile', Buffer.from(seccomp.profile).toString('base64')),
      },
    ),
    ...optional('AppArmor', apparmor && { Mode: appArmorModes.toWord(apparmor.mode) }),
    NoNewPrivileges: privileges.noNewPrivileges,
  };
}

function credentialsToApi({ source }: CredentialSpec) {
  return {
    Config: source?.$case === 'config' ? source.config : '',
    File: source?.$case === 'file' ? source.file : '',
    Registry: source?.$case === 'registry' ? source.registry : '',
  };
}

function healthToApi(health: HealthConfig) {
  return {
    ...nonEmptyList('Test', health.test),
    ...durationToApi('Interval', health.interval),
    ...durationToApi('Timeout', health.timeout),
    ...durationToApi('StartPeriod', health.startPeriod),
    ...durationToApi('StartInterval', health.startInterval),
    ...nonZero('Retries', health.retries),
  };
}

function dnsToApi(dns: NonNullable<ContainerSpec['dnsConfig']>) {
  return {
    ...nonEmptyList('Nameservers', dns.nameservers),
    ...nonEmptyList('Search', dns.search),
    ...nonEmptyList('Options', dns.options),
  };
}

function secretReferenceToApi(reference: ContainerSpec['secrets'][number]) {
  return {
    ...optional('File', reference.file && fileToApi(reference.file)),
    SecretID: reference.secretId,
    SecretName: reference.secretName,
  };
}

function configReferenceToApi({ target, configId, configName }: ConfigReference) {
  return {
    ...(target?.$case === 'file' ? { File: fileToApi(target.file) } : {}),
    ...(target?.$case === 'runtime' ? { Runtime: {} } : {}),
    ConfigID: configId,
    ConfigName: configName,
  };
}

function fileToApi(file: FileTarget) {
  return { Name: file.name, UID: file.uid, GID: file.gid, Mode: file.mode };
}
