import { protocolName } from '../protocol.ts';
import type { EndpointRow } from '../records.ts';
import type { NamedEndpoint } from './name-table.ts';

const SHORT_ID_LENGTH = 12;

/**
 * Endpoints of an overlay from its rows. The names of published ports are only in the rows of the
 * ingress network, under the same container.
 */
export function namedEndpoints(
  rows: readonly EndpointRow[],
  ingressRows: readonly EndpointRow[],
): NamedEndpoint[] {
  const ports = new Map(
    ingressRows.map(({ record }) => [record.containerId, record.ingressPorts] as const),
  );
  return rows
    .filter(({ record }) => record.containerId !== '')
    .map(({ record }) => ({
      ip: record.endpointIp,
      names: [
        ...new Set([
          record.name,
          ...record.taskAliases,
          record.containerId.slice(0, SHORT_ID_LENGTH),
          record.hostname,
        ]),
      ].filter(Boolean),
      ...(record.serviceId
        ? {
            service: {
              name: record.serviceName,
              aliases: record.aliases,
              virtualIp: record.virtualIp,
              slot: slotOf(record.name, record.serviceName),
              disabled: record.serviceDisabled,
              ports: (ports.get(record.containerId) ?? []).map((port) => ({
                name: port.name,
                protocol: protocolName(port.protocol),
                port: port.targetPort,
              })),
            },
          }
        : {}),
    }));
}

/** A task's name is `<service>.<slot or node id>.<task id>`. */
export function slotOf(taskName: string, serviceName: string): string {
  if (!taskName.startsWith(`${serviceName}.`)) return '';
  const rest = taskName.slice(serviceName.length + 1).split('.');
  return rest.length === 2 ? (rest[0] ?? '') : '';
}
