import type { EndpointInfo, PortBinding } from '../../../netdriver/index.ts';
import type { Container, ContainerState } from '../../../worker/index.ts';
import { optional } from './common.ts';
import { humanDuration } from './human-duration.ts';

/** One element of GET /containers/json. `now` is milliseconds since the epoch. */
export function containerSummary(container: Container, now: number) {
  const { config, hostConfig, endpoints } = container;
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: config.Image,
    ImageID: container.imageId,
    Command: commandOf(container),
    Created: Math.floor(container.createdAt / 1_000),
    Ports: portsOf(container),
    Labels: config.Labels ?? {},
    State: container.state.status,
    Status: statusText(container.state, now),
    HostConfig: { NetworkMode: hostConfig.NetworkMode || 'default' },
    NetworkSettings: {
      Networks: Object.fromEntries(endpoints.map((info) => [info.networkName, endpointOf(info)])),
    },
    Mounts: mountsOf(container),
  };
}

/** "Up 5 minutes (healthy)", "Exited (1) 2 hours ago", … */
export function statusText(state: ContainerState, now: number): string {
  const up = `Up ${humanDuration(now - state.startedAt)}`;
  const ago = `${humanDuration(now - state.finishedAt)} ago`;
  switch (state.status) {
    case 'running':
      return state.health === 'none' ? up : `${up} (${healthText(state.health)})`;
    case 'paused':
      return `${up} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${ago}`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'created':
      return 'Created';
    case 'exited':
      return `Exited (${state.exitCode}) ${ago}`;
  }
}

function healthText(health: ContainerState['health']): string {
  return health === 'starting' ? 'health: starting' : health;
}

function commandOf({ config }: Container): string {
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

function portsOf({ ports, config }: Container) {
  const published = ports.flatMap(bindingToApi);
  const bound = new Set(ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const exposed = Object.keys(config.ExposedPorts ?? {}).flatMap((port) => {
    const [number = '', protocol = 'tcp'] = port.split('/');
    if (bound.has(`${number}/${protocol}`) || !/^\d+$/.test(number)) return [];
    return [{ PrivatePort: Number(number), Type: protocol }];
  });
  return [...published, ...exposed];
}

function bindingToApi({ hostIp, containerPort, hostPort, protocol }: PortBinding) {
  const port = { PrivatePort: containerPort, PublicPort: hostPort, Type: protocol };
  if (hostIp !== '') return [{ IP: hostIp, ...port }];
  return [
    { IP: '0.0.0.0', ...port },
    { IP: '::', ...port },
  ];
}

function endpointOf(info: EndpointInfo) {
  const ipv4 = info.addresses.find((address) => !address.includes(':')) ?? '';
  const ipv6 = info.addresses.find((address) => address.includes(':')) ?? '';
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: info.aliases.length > 0 ? info.aliases : null,
    MacAddress: info.macAddress,
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: info.networkId,
    EndpointID: info.endpointId,
    Gateway: info.gateway,
    IPAddress: addressIn(ipv4),
    IPPrefixLen: prefixIn(ipv4),
    IPv6Gateway: '',
    GlobalIPv6Address: addressIn(ipv6),
    GlobalIPv6PrefixLen: prefixIn(ipv6),
    DNSNames: info.dnsNames.length > 0 ? info.dnsNames : null,
  };
}

function addressIn(cidr: string): string {
  return cidr.split('/')[0] ?? '';
}

function prefixIn(cidr: string): number {
  return Number(cidr.split('/')[1] ?? 0);
}

function mountsOf({ hostConfig }: Container) {
  const mounts = (hostConfig.Mounts ?? []).map((mount) => ({
    Type: mount.Type,
    ...optional('Name', mount.Type === 'volume' ? mount.Source : undefined),
    Source: mount.Type === 'bind' ? (mount.Source ?? '') : '',
    Destination: mount.Target,
    Mode: '',
    RW: !mount.ReadOnly,
    Propagation: mount.BindOptions?.Propagation ?? (mount.Type === 'bind' ? 'rprivate' : ''),
  }));
  const binds = (hostConfig.Binds ?? []).flatMap((bind) => {
    const [source = '', target, mode = ''] = bind.split(':');
    if (!target) return [];
    const isPath = source.startsWith('/');
    return [
      {
        Type: isPath ? 'bind' : 'volume',
        ...optional('Name', isPath ? undefined : source),
        Source: isPath ? source : '',
        Destination: target,
        Mode: mode,
        RW: !mode.split(',').includes('ro'),
        Propagation: isPath ? 'rprivate' : '',
      },
    ];
  });
  return [...mounts, ...binds];
}
