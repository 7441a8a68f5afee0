import type { ServiceObject, UpdateConfig } from '../commands/api-types.ts';
import { type Context, print } from '../context.ts';
import { binarySize } from './human.ts';

/** `service inspect --pretty`. */
export function printService(context: Context, service: ServiceObject): void {
  const { Spec: spec } = service;
  const container = spec.TaskTemplate.ContainerSpec;
  const placement = spec.TaskTemplate.Placement;
  const lines = [
    `ID:\t\t${service.ID}`,
    `Name:\t\t${spec.Name}`,
    ...listLines(
      'Labels:',
      Object.entries(spec.Labels ?? {}).map(([k, v]) => `${k}=${v}`),
    ),
    ...modeLines(service),
    ...updateStatusLines(service),
    'Placement:',
    ...listLines(' Constraints:', placement?.Constraints ?? []),
    ...listLines(
      ' Preferences:',
      (placement?.Preferences ?? []).map((p) => `spread=${p.Spread.SpreadDescriptor}`),
    ),
    ...(placement?.MaxReplicas ? [` Max Replicas Per Node:\t${placement.MaxReplicas}`] : []),
    ...updateLines('UpdateConfig:', spec.UpdateConfig),
    ...updateLines('RollbackConfig:', spec.RollbackConfig),
    'ContainerSpec:',
    ` Image:\t\t${container?.Image ?? ''}`,
    ...(container?.Args?.length ? [` Args:\t\t${container.Args.join(' ')}`] : []),
    ...(container?.Env?.length ? [` Env:\t\t${container.Env.join(' ')}`] : []),
    ...(container?.Dir ? [` Dir:\t\t${container.Dir}`] : []),
    ...(container?.User ? [` User:\t\t${container.User}`] : []),
    ...listLines('Mounts:', (container?.Mounts ?? []).map(describeMount)),
    ...resourceLines(service),
    ...networkLines(service),
    `Endpoint Mode:\t${spec.EndpointSpec?.Mode ?? 'vip'}`,
    ...portLines(service),
  ];
  print(context, lines.join('\n'));
}

function modeLines({ Spec: { Mode } }: ServiceObject): string[] {
  if (Mode?.Global) return ['Service Mode:\tGlobal'];
  if (Mode?.GlobalJob) return ['Service Mode:\tGlobal Job'];
  if (Mode?.ReplicatedJob) {
    return [
      'Service Mode:\tReplicated Job',
      ` Max Concurrent:\t${Mode.ReplicatedJob.MaxConcurrent ?? ''}`,
      ` Total Completions:\t${Mode.ReplicatedJob.TotalCompletions ?? ''}`,
    ];
  }
  return ['Service Mode:\tReplicated', ` Replicas:\t${Mode?.Replicated?.Replicas ?? 1}`];
}

function updateStatusLines({ UpdateStatus: status }: ServiceObject): string[] {
  if (!status?.State) return [];
  return ['UpdateStatus:', ` State:\t\t${status.State}`, ` Message:\t${status.Message ?? ''}`];
}

function updateLines(title: string, config: UpdateConfig | undefined): string[] {
  if (!config) return [];
  return [
    title,
    ` Parallelism:\t${config.Parallelism ?? 1}`,
    ...(config.Delay ? [` Delay:\t\t${config.Delay / 1e9}s`] : []),
    ` On failure:\t${config.FailureAction ?? 'pause'}`,
    ` Monitoring Period: ${(config.Monitor ?? 0) / 1e9}s`,
    ` Max failure ratio: ${config.MaxFailureRatio ?? 0}`,
    ` Update order:      ${config.Order ?? 'stop-first'}`,
  ];
}

function resourceLines({ Spec }: ServiceObject): string[] {
  const kinds = [
    [' Reservations:', Spec.TaskTemplate.Resources?.Reservations],
    [' Limits:', Spec.TaskTemplate.Resources?.Limits],
  ] as const;
  const lines = kinds.flatMap(([title, values]) => {
    const shown = [
      ...(values?.['NanoCPUs'] ? [`  CPU:\t\t${values['NanoCPUs'] / 1e9}`] : []),
      ...(values?.['MemoryBytes'] ? [`  Memory:\t${binarySize(values['MemoryBytes'])}`] : []),
      ...(values?.['Pids'] ? [`  PIDs:\t\t${values['Pids']}`] : []),
    ];
    return shown.length > 0 ? [title, ...shown] : [];
  });
  return ['Resources:', ...lines];
}

function networkLines({ Spec }: ServiceObject): string[] {
  const networks = (Spec.TaskTemplate.Networks ?? []).map((network) => network.Target);
  return networks.length > 0 ? [`Networks: ${networks.join(' ')} `] : [];
}

function portLines({ Endpoint }: ServiceObject): string[] {
  const ports = Endpoint?.Ports ?? [];
  if (ports.length === 0) return [];
  return [
    'Ports:',
    ...ports.flatMap((port) => [
      ` PublishedPort = ${port.PublishedPort ?? ''}`,
      `  Protocol = ${port.Protocol}`,
      `  TargetPort = ${port.TargetPort}`,
      `  PublishMode = ${port.PublishMode}`,
    ]),
  ];
}

function describeMount(mount: Record<string, unknown>): string {
  const { Type, Source = '', Target, ReadOnly } = mount;
  return `${Target} from ${Type} ${Source}${ReadOnly ? ' (read-only)' : ''}`;
}

function listLines(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [title, ...[...items].sort().map((item) => ` ${item}`)];
}
