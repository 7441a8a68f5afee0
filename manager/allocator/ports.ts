import { SwarmError } from '../../common/errors.ts';
import type { Service } from '../../proto/gen/swarm/objects.ts';
import {
  type PortConfig,
  PortConfig_Protocol as Protocol,
  PortConfig_PublishMode as PublishMode,
} from '../../proto/gen/swarm/types.ts';
import type { ReadTx } from '../store/types.ts';
import { invalidRequest } from './errors.ts';

/** From which ports are chosen for those who leave the choice. */
const DYNAMIC_FIRST = 30_000;
const DYNAMIC_LAST = 32_767;

/**
 * The ports of a service as they are published. Explicit ones are checked against every other
 * service; open ones keep what they had, or get the first free one of the dynamic range.
 * Host-mode ports are a matter of each node and pass as they are.
 */
export function allocatePorts(tx: ReadTx, service: Service): PortConfig[] {
  const wanted = service.spec?.endpoint?.ports ?? [];
  refuseDuplicates(wanted);
  for (const port of wanted) refuseTaken(tx, service, port);
  const own = new Set(wanted.filter(isExplicit).map(portKey));
  return wanted.map((port) => {
    if (!isIngress(port) || isExplicit(port)) return port;
    const publishedPort = openPort(tx, service, port, own);
    const chosen = { ...port, publishedPort };
    own.add(portKey(chosen));
    return chosen;
  });
}

export function hasIngressPorts(ports: readonly PortConfig[]): boolean {
  return ports.some(isIngress);
}

function isIngress(port: PortConfig): boolean {
  return port.publishMode === PublishMode.INGRESS;
}

function isExplicit(port: PortConfig): boolean {
  return port.publishedPort !== 0;
}

/** Each protocol has a port space of its own. */
function portKey({ protocol, publishedPort }: PortConfig): string {
  return `${protocol}/${publishedPort}`;
}

function refuseDuplicates(ports: readonly PortConfig[]): void {
  const explicit = ports.filter((port) => isIngress(port) && isExplicit(port)).map(portKey);
  if (new Set(explicit).size < explicit.length) {
    throw invalidRequest('EndpointSpec: duplicate published ports provided');
  }
}

/**
 * A port in ingress mode is open on every node, so nobody else may have it in any mode. Two services
 * may both want it in host mode: the scheduler keeps their tasks apart.
 */
function refuseTaken(tx: ReadTx, service: Service, port: PortConfig): void {
  if (!isExplicit(port)) return;
  for (const { service: other, mode } of usersOf(tx, service.id, port)) {
    if (!isIngress(port) && mode === PublishMode.HOST) continue;
    const name = other.spec?.annotations?.name;
    const how = mode === PublishMode.HOST ? 'a host-published port' : 'an ingress port';
    throw invalidRequest(
      `port '${port.publishedPort}' is already in use by service '${name}' (${other.id}) as ${how}`,
    );
  }
}

function usersOf(tx: ReadTx, except: string, { protocol, publishedPort: port }: PortConfig) {
  return tx
    .find('service', { publishedPort: { protocol, port } })
    .filter(({ id }) => id !== except)
    .map((service) => {
      const ports = [...(service.endpoint?.ports ?? []), ...(service.spec?.endpoint?.ports ?? [])];
      const same = ports.filter((p) => p.protocol === protocol && p.publishedPort === port);
      const mode = same.some(isIngress) ? PublishMode.INGRESS : PublishMode.HOST;
      return { service, mode };
    });
}

function openPort(tx: ReadTx, service: Service, wanted: PortConfig, own: Set<string>): number {
  const isFree = (publishedPort: number) => {
    const port = { ...wanted, publishedPort };
    return !own.has(portKey(port)) && usersOf(tx, service.id, port).length === 0;
  };
  const held = service.endpoint?.ports.find((port) => isSamePort(port, wanted))?.publishedPort;
  if (held && isFree(held)) return held;
  for (let port = DYNAMIC_FIRST; port <= DYNAMIC_LAST; port += 1) if (isFree(port)) return port;
  throw new SwarmError(
    'SWM_RESOURCE_EXHAUSTED',
    `no free ${protocolName(wanted)} port left between ${DYNAMIC_FIRST} and ${DYNAMIC_LAST}`,
    { hint: 'Publish the service on a port of your choice.' },
  );
}

function isSamePort(a: PortConfig, b: PortConfig): boolean {
  return (
    a.name === b.name &&
    a.protocol === b.protocol &&
    a.targetPort === b.targetPort &&
    a.publishMode === b.publishMode
  );
}

function protocolName({ protocol }: PortConfig): string {
  if (protocol === Protocol.UDP) return 'udp';
  return protocol === Protocol.SCTP ? 'sctp' : 'tcp';
}
