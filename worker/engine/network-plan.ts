import { SwarmError } from '../../common/errors.ts';
import type { PortBinding } from '../../netdriver/index.ts';
import type { ContainerConfig, EndpointSettings, HostConfig } from './types.ts';

export type SandboxMode = 'container' | 'host' | 'none';

export function sandboxMode(host: HostConfig): SandboxMode {
  const mode = host.NetworkMode ?? '';
  if (mode === 'host' || mode === 'none') return mode;
  if (mode.startsWith('container:')) {
    throw new SwarmError(
      'SWM_NOT_IMPLEMENTED',
      "sharing another container's network namespace is not supported",
      { hint: 'Put both containers on one network instead.' },
    );
  }
  return 'container';
}

/**
 * The networks of a standalone container by name or id: the one of its network mode, then those of
 * its endpoints' configuration.
 */
export function requestedNetworks(
  host: HostConfig,
  endpoints: Readonly<Record<string, EndpointSettings | null>>,
): Record<string, EndpointSettings> {
  const mode = sandboxMode(host);
  if (mode !== 'container') return {};
  const first = host.NetworkMode ?? '';
  const primary = first === '' || first === 'default' ? 'bridge' : first;
  const networks: Record<string, EndpointSettings> = {};
  // The CLI calls the default network "default" in both places.
  for (const [name, settings] of Object.entries({ [primary]: null, ...endpoints })) {
    networks[name === 'default' ? 'bridge' : name] = settings ?? {};
  }
  return networks;
}

/** Published ports in the network driver's terms. Throws SWM_INVALID_ARGUMENT. */
export function portBindings(config: ContainerConfig, host: HostConfig): PortBinding[] {
  const bound: PortBinding[] = [];
  for (const [spec, bindings] of Object.entries(host.PortBindings ?? {})) {
    const { port, protocol } = parsePort(spec);
    const hosts = bindings && bindings.length > 0 ? bindings : [{}];
    for (const { HostIp = '', HostPort = '' } of hosts) {
      const hostPort = parseHostPort(HostPort);
      // Without address: every one, of both families.
      const hostIp = HostIp === '0.0.0.0' ? '' : HostIp;
      bound.push({ protocol, containerPort: port, hostPort, hostIp });
    }
  }
  if (!host.PublishAllPorts) return bound;
  for (const spec of Object.keys(config.ExposedPorts ?? {})) {
    const { port, protocol } = parsePort(spec);
    const known = bound.some((one) => one.containerPort === port && one.protocol === protocol);
    if (!known) bound.push({ protocol, containerPort: port, hostPort: 0, hostIp: '' });
  }
  return bound;
}

function parsePort(spec: string): { port: number; protocol: PortBinding['protocol'] } {
  const [number = '', protocol = 'tcp'] = spec.split('/');
  const port = Number(number);
  const known = protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp';
  if (!known || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new SwarmError('SWM_INVALID_ARGUMENT', `invalid port specification: "${spec}"`);
  }
  return { port, protocol };
}

/** Of a range the first: the CLI resolves ranges itself where it can. */
function parseHostPort(text: string): number {
  if (text === '') return 0;
  const port = Number(text.split('-', 1)[0]);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new SwarmError('SWM_INVALID_ARGUMENT', `invalid port specification: "${text}"`);
}
