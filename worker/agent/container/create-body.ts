import { durationNs } from '../../../common/duration.ts';
import { driverOf } from '../../../netdriver/index.ts';
import type { Duration } from '../../../proto/gen/google/protobuf/duration.ts';
import type { Task } from '../../../proto/gen/swarm/objects.ts';
import {
  AppArmorOpts_AppArmorMode as AppArmorMode,
  type ContainerSpec,
  type HealthConfig,
  type Privileges,
  SeccompOpts_SeccompMode as SeccompMode,
} from '../../../proto/gen/swarm/specs.ts';
import {
  type PortConfig,
  PortConfig_Protocol as Protocol,
  PortConfig_PublishMode as PublishMode,
} from '../../../proto/gen/swarm/types.ts';
import type { ContainerCreateBody, HealthcheckConfig, HostConfig } from '../../engine/types.ts';
import { isOverlay } from './endpoints.ts';
import { mountConfig } from './mounts.ts';
import { systemLabels, type TaskNode, templateScope } from './task-context.ts';
import { expandTemplate, type TemplateScope } from './template.ts';

/** What the engine is asked to create for a task: the spec, its placeholders expanded. */
export function createBody(task: Task, spec: ContainerSpec, node: TaskNode): ContainerCreateBody {
  const scope = templateScope(task, node);
  return {
    Image: spec.image,
    Hostname: expandTemplate(spec.hostname, scope),
    Env: environment(task, spec, scope),
    Labels: { ...spec.labels, ...systemLabels(task) },
    ...(spec.command.length > 0 ? { Entrypoint: [...spec.command] } : {}),
    ...(spec.args.length > 0 ? { Cmd: [...spec.args] } : {}),
    ...(spec.user ? { User: spec.user } : {}),
    ...(spec.dir ? { WorkingDir: spec.dir } : {}),
    ...(spec.stopSignal ? { StopSignal: spec.stopSignal } : {}),
    ...(spec.healthcheck ? { Healthcheck: healthcheck(spec.healthcheck) } : {}),
    Tty: spec.tty,
    OpenStdin: spec.openStdin,
    ExposedPorts: exposedPorts(task),
    HostConfig: hostConfig(task, spec, scope),
  };
}

function environment(task: Task, spec: ContainerSpec, scope: TemplateScope): string[] {
  const given = spec.env.map((entry) => {
    const equals = entry.indexOf('=');
    if (equals < 0) return entry;
    return entry.slice(0, equals + 1) + expandTemplate(entry.slice(equals + 1), scope);
  });
  return [...given, ...genericResources(task)];
}

/** `DOCKER_RESOURCE_<KIND>=value,value` for each kind of resource that was assigned. */
function genericResources(task: Task): string[] {
  const values = new Map<string, string[]>();
  for (const { resource } of task.assignedGenericResources) {
    if (!resource) continue;
    const { kind, value } = resource.$case === 'named' ? resource.named : resource.discrete;
    values.set(kind, [...(values.get(kind) ?? []), `${value}`]);
  }
  return [...values].map(
    ([kind, list]) => `DOCKER_RESOURCE_${kind.toUpperCase()}=${list.join(',')}`,
  );
}

function healthcheck(config: HealthConfig): HealthcheckConfig {
  const ns = (duration: Duration | undefined) => (duration ? durationNs(duration) : 0);
  return {
    Test: [...config.test],
    Interval: ns(config.interval),
    Timeout: ns(config.timeout),
    StartPeriod: ns(config.startPeriod),
    StartInterval: ns(config.startInterval),
    Retries: config.retries,
  };
}

function hostConfig(task: Task, spec: ContainerSpec, scope: TemplateScope): HostConfig {
  return {
    NetworkMode: networkMode(task),
    PortBindings: portBindings(task),
    Mounts: spec.mounts.map((mount) => mountConfig(mount, scope)),
    ReadonlyRootfs: spec.readOnly,
    CapAdd: [...spec.capabilityAdd],
    CapDrop: [...spec.capabilityDrop],
    GroupAdd: [...spec.groups],
    Dns: [...(spec.dnsConfig?.nameservers ?? [])],
    DnsSearch: [...(spec.dnsConfig?.search ?? [])],
    DnsOptions: [...(spec.dnsConfig?.options ?? [])],
    ExtraHosts: spec.hosts.flatMap(extraHost),
    Sysctls: { ...spec.sysctls },
    Ulimits: spec.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    SecurityOpt: securityOptions(spec.privileges),
    ...(spec.init === undefined ? {} : { Init: spec.init }),
    ...(spec.pidsLimit ? { PidsLimit: spec.pidsLimit } : {}),
    ...(spec.oomScoreAdj ? { OomScoreAdj: spec.oomScoreAdj } : {}),
    ...resources(task),
    ...(task.logDriver?.name
      ? { LogConfig: { Type: task.logDriver.name, Config: { ...task.logDriver.options } } }
      : {}),
  };
}

/**
 * Overlays come as endpoints of their own. A task without any uses the network of this node that it
 * names, e.g. host, or the default bridge.
 */
function networkMode(task: Task): string {
  if (task.networks.some(isOverlay)) return '';
  const network = task.networks[0]?.network;
  if (!network) return 'default';
  return driverOf(network) === 'host' ? 'host' : (network.spec?.annotations?.name ?? 'default');
}

function resources(task: Task): HostConfig {
  const { limits, swapBytes, memorySwappiness } = task.spec?.resources ?? {};
  const config: HostConfig = {};
  if (limits?.memoryBytes) config.Memory = limits.memoryBytes;
  if (limits?.nanoCpus) config.NanoCpus = limits.nanoCpus;
  if (swapBytes !== undefined) {
    config.MemorySwap = swapBytes < 0 ? -1 : (limits?.memoryBytes ?? 0) + swapBytes;
  }
  if (memorySwappiness !== undefined) config.MemorySwappiness = memorySwappiness;
  return config;
}

/** "IP name alias…" to "name:IP"; a line without both is left out. */
function extraHost(line: string): string[] {
  const [ip, name] = line.trim().split(/\s+/);
  return ip && name ? [`${name}:${ip}`] : [];
}

function exposedPorts(task: Task): Record<string, object> {
  return Object.fromEntries((task.endpoint?.ports ?? []).map((port) => [portKey(port), {}]));
}

function portBindings(task: Task): NonNullable<HostConfig['PortBindings']> {
  const bindings: NonNullable<HostConfig['PortBindings']> = {};
  for (const port of task.endpoint?.ports ?? []) {
    if (port.publishMode !== PublishMode.HOST) continue;
    const HostPort = port.publishedPort ? `${port.publishedPort}` : '';
    const key = portKey(port);
    bindings[key] = [...(bindings[key] ?? []), { HostPort }];
  }
  return bindings;
}

function portKey({ targetPort, protocol }: PortConfig): string {
  return `${targetPort}/${(Protocol[protocol] ?? 'TCP').toLowerCase()}`;
}

function securityOptions(privileges: Privileges | undefined): string[] {
  const options: string[] = [];
  if (privileges?.noNewPrivileges) options.push('no-new-privileges=true');
  const { selinuxContext: selinux, seccomp, apparmor } = privileges ?? {};
  if (selinux?.disable) options.push('label=disable');
  else if (selinux) {
    const { user, role, type, level } = selinux;
    for (const [key, value] of Object.entries({ user, role, type, level })) {
      if (value) options.push(`label=${key}:${value}`);
    }
  }
  if (seccomp?.mode === SeccompMode.UNCONFINED) options.push('seccomp=unconfined');
  if (seccomp?.mode === SeccompMode.CUSTOM) options.push(`seccomp=${seccomp.profile.toString()}`);
  if (apparmor?.mode === AppArmorMode.DISABLED) options.push('apparmor=unconfined');
  return options;
}
