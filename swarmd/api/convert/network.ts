import type { Network } from '../../../proto/gen/swarm/objects.ts';
import type { NetworkSpec } from '../../../proto/gen/swarm/specs.ts';
import { type IPAMConfig, type IPAMOptions, IPFamily } from '../../../proto/gen/swarm/types.ts';
import type { JsonReader } from '../http/json-reader.ts';
import { rfc3339 } from '../http/time.ts';
import {
  annotationsFromApi,
  annotationsToApi,
  driverToApi,
  metaToApi,
  nonEmpty,
  nonEmptyList,
  nonEmptyMap,
  onlyTrue,
  optional,
} from './common.ts';

/** GET /networks: a network of the swarm, as the managers know it. */
export function networkToApi(network: Network) {
  const spec = network.spec;
  return {
    Name: spec?.annotations?.name ?? '',
    Id: network.id,
    Created: rfc3339(network.meta?.createdAt),
    Scope: 'swarm',
    Driver: network.driverState?.name || spec?.driverConfig?.name || 'overlay',
    EnableIPv4: true,
    EnableIPv6: spec?.ipv6Enabled ?? false,
    IPAM: ipamToApi(network.ipam ?? spec?.ipam),
    Internal: spec?.internal ?? false,
    Attachable: spec?.attachable ?? false,
    Ingress: spec?.ingress ?? false,
    ConfigFrom: { Network: spec?.configFrom?.network ?? '' },
    ConfigOnly: false,
    Containers: {} as Record<string, object>,
    Options: network.driverState?.options ?? spec?.driverConfig?.options ?? {},
    Labels: spec?.annotations?.labels ?? {},
  };
}

/** The network as a task's attachment carries it. */
export function attachedNetworkToApi(network: Network) {
  const { spec, driverState, ipam } = network;
  return {
    ID: network.id,
    ...metaToApi(network.meta),
    Spec: {
      ...annotationsToApi(spec?.annotations),
      DriverConfiguration: driverToApi(spec?.driverConfig) ?? {},
      ...onlyTrue('IPv6Enabled', spec?.ipv6Enabled ?? false),
      ...onlyTrue('Internal', spec?.internal ?? false),
      ...onlyTrue('Attachable', spec?.attachable ?? false),
      ...onlyTrue('Ingress', spec?.ingress ?? false),
      ...optional('IPAMOptions', spec?.ipam && attachedIpamToApi(spec.ipam)),
      ...optional('ConfigFrom', spec?.configFrom && { Network: spec.configFrom.network }),
      Scope: 'swarm',
    },
    DriverState: driverToApi(driverState) ?? {},
    ...optional('IPAMOptions', ipam && attachedIpamToApi(ipam)),
  };
}

/** The body of POST /networks/create, for a network of the swarm. */
export function networkSpecFromApi(json: JsonReader): NetworkSpec {
  const ipam = json.object('IPAM');
  const from = json.object('ConfigFrom')?.string('Network') ?? '';
  return {
    annotations: annotationsFromApi(json),
    driverConfig: { name: json.string('Driver'), options: json.stringMap('Options') },
    ipv6Enabled: json.boolean('EnableIPv6'),
    internal: json.boolean('Internal'),
    ipam: ipam && ipamFromApi(ipam),
    attachable: json.boolean('Attachable'),
    ingress: json.boolean('Ingress'),
    configFrom: from === '' ? undefined : { network: from },
  };
}

export function ipamConfigFromApi(json: JsonReader): IPAMConfig {
  const subnet = json.string('Subnet');
  const family = subnet.includes(':') ? IPFamily.IPV6 : IPFamily.IPV4;
  return {
    family: subnet === '' ? IPFamily.UNKNOWN : family,
    subnet,
    range: json.string('IPRange'),
    gateway: json.string('Gateway'),
    reserved: json.stringMap('AuxiliaryAddresses'),
  };
}

function ipamFromApi(json: JsonReader): IPAMOptions {
  return {
    driver: { name: json.string('Driver'), options: json.stringMap('Options') },
    configs: json.objects('Config').map(ipamConfigFromApi),
  };
}

function ipamToApi(ipam: IPAMOptions | undefined) {
  const options = ipam?.driver?.options ?? {};
  return {
    Driver: ipam?.driver?.name || 'default',
    Options: Object.keys(options).length > 0 ? options : null,
    Config: ipam?.configs.map(ipamConfigToApi) ?? [],
  };
}

function attachedIpamToApi(ipam: IPAMOptions) {
  return {
    Driver: driverToApi(ipam.driver) ?? {},
    ...nonEmptyList('Configs', ipam.configs.map(attachedIpamConfigToApi)),
  };
}

function ipamConfigToApi(config: IPAMConfig) {
  return {
    ...nonEmpty('Subnet', config.subnet),
    ...nonEmpty('IPRange', config.range),
    ...nonEmpty('Gateway', config.gateway),
    ...nonEmptyMap('AuxiliaryAddresses', config.reserved),
  };
}

function attachedIpamConfigToApi(config: IPAMConfig) {
  return {
    ...nonEmpty('Subnet', config.subnet),
    ...nonEmpty('Range', config.range),
    ...nonEmpty('Gateway', config.gateway),
  };
}
