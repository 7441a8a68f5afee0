import { durationNs, nsToDuration } from '../../../common/duration.ts';
import type { Duration } from '../../../proto/gen/google/protobuf/duration.ts';
import type {
  Annotations,
  Driver,
  GenericResource,
  Meta,
  PortConfig,
} from '../../../proto/gen/swarm/types.ts';
import {
  PortConfig_Protocol as Protocol,
  PortConfig_PublishMode as PublishMode,
} from '../../../proto/gen/swarm/types.ts';
import type { JsonReader } from '../http/json-reader.ts';
import { rfc3339 } from '../http/time.ts';

/** The two directions of an enumeration that the API writes as words. */
export interface Words<E extends number> {
  /** '' for a value that has no word. */
  toWord(value: number): string;
  /** `fallback` for an absent or empty field; SWM_INVALID_ARGUMENT for a word that is not listed. */
  fromField(reader: JsonReader, key: string, fallback: E): E;
}

export function words<E extends number>(table: Readonly<Record<string, E>>): Words<E> {
  const names = new Map<number, string>(
    Object.entries(table).map(([word, value]) => [value, word]),
  );
  return {
    toWord: (value) => names.get(value) ?? '',
    fromField(reader, key, fallback) {
      const word = reader.string(key);
      if (word === '') return fallback;
      const value = Object.hasOwn(table, word) ? table[word] : undefined;
      return value ?? reader.fail(key, `one of ${Object.keys(table).join(', ')}`);
    },
  };
}

/** The fields that every object of a swarm begins with. */
export function metaToApi(meta: Meta | undefined) {
  return {
    Version: { Index: meta?.version?.index ?? 0 },
    CreatedAt: rfc3339(meta?.createdAt),
    UpdatedAt: rfc3339(meta?.updatedAt),
  };
}

export function annotationsToApi(annotations: Annotations | undefined) {
  return {
    ...(annotations?.name ? { Name: annotations.name } : {}),
    Labels: annotations?.labels ?? {},
  };
}

export function annotationsFromApi(json: JsonReader): Annotations {
  return { name: json.string('Name'), labels: json.stringMap('Labels'), indices: [] };
}

export function driverToApi(driver: Driver | undefined) {
  if (!driver) return undefined;
  const named = driver.name ? { Name: driver.name } : {};
  return { ...named, ...nonEmptyMap('Options', driver.options) };
}

export function driverFromApi(json: JsonReader | undefined): Driver | undefined {
  return json && { name: json.string('Name'), options: json.stringMap('Options') };
}

/** `{ [key]: nanoseconds }`, or nothing when the duration is not set. */
export function durationToApi<K extends string>(key: K, duration: Duration | undefined) {
  return optional(key, duration && durationNs(duration));
}

export function durationFromApi(json: JsonReader, key: string): Duration | undefined {
  const ns = json.optionalInteger(key);
  return ns === undefined ? undefined : nsToDuration(ns);
}

const protocols = words({ tcp: Protocol.TCP, udp: Protocol.UDP, sctp: Protocol.SCTP });
const publishModes = words({ ingress: PublishMode.INGRESS, host: PublishMode.HOST });

export function portToApi(port: PortConfig) {
  return {
    ...nonEmpty('Name', port.name),
    Protocol: protocols.toWord(port.protocol),
    TargetPort: port.targetPort,
    ...nonZero('PublishedPort', port.publishedPort),
    PublishMode: publishModes.toWord(port.publishMode),
  };
}

export function portFromApi(json: JsonReader): PortConfig {
  return {
    name: json.string('Name'),
    protocol: protocols.fromField(json, 'Protocol', Protocol.TCP),
    targetPort: portNumber(json, 'TargetPort'),
    publishedPort: portNumber(json, 'PublishedPort'),
    publishMode: publishModes.fromField(json, 'PublishMode', PublishMode.INGRESS),
  };
}

function portNumber(json: JsonReader, key: string): number {
  const port = json.count(key);
  return port <= 65_535 ? port : json.fail(key, 'a port number up to 65535');
}

export function genericResourcesToApi(resources: readonly GenericResource[]) {
  return resources.map(({ resource }) => {
    if (resource?.$case === 'named') {
      const { kind, value } = resource.named;
      return { NamedResourceSpec: { Kind: kind, Value: value } };
    }
    if (resource?.$case === 'discrete') {
      const { kind, value } = resource.discrete;
      return { DiscreteResourceSpec: { Kind: kind, Value: value } };
    }
    return {};
  });
}

export function genericResourcesFromApi(items: readonly JsonReader[]): GenericResource[] {
  return items.map((item) => {
    const named = item.object('NamedResourceSpec');
    const discrete = item.object('DiscreteResourceSpec');
    if (named) {
      const value = { kind: named.string('Kind'), value: named.string('Value') };
      return { resource: { $case: 'named', named: value } };
    }
    if (!discrete) return { resource: undefined };
    const value = { kind: discrete.string('Kind'), value: discrete.integer('Value') };
    return { resource: { $case: 'discrete', discrete: value } };
  });
}

// Fields that the API leaves out when they say nothing.

export function optional<K extends string, V>(key: K, value: V | undefined) {
  return (value === undefined ? {} : { [key]: value }) as { [k in K]?: V };
}

export function nonEmpty<K extends string>(key: K, value: string) {
  return optional(key, value || undefined);
}

export function nonZero<K extends string>(key: K, value: number) {
  return optional(key, value || undefined);
}

export function onlyTrue<K extends string>(key: K, value: boolean) {
  return optional(key, value || undefined);
}

export function nonEmptyList<K extends string, V>(key: K, list: readonly V[]) {
  return optional(key, list.length > 0 ? list : undefined);
}

export function nonEmptyMap<K extends string, V>(key: K, map: Readonly<Record<string, V>>) {
  return optional(key, Object.keys(map).length > 0 ? map : undefined);
}
