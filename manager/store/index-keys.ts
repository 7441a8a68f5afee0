import type { NetworkAttachment, Node, Service, Task } from '../../proto/gen/swarm/objects.ts';
import type { NetworkAttachmentConfig, TaskSpec } from '../../proto/gen/swarm/specs.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { type AnyObject, uniqueName } from './kinds.ts';
import type { Kind, Selector } from './types.ts';

/** Length of the prefix by which ids and names are bucketed. */
const BUCKET = 2;

/**
 * The keys under which a table's one index lists an object, without repetition. A key is the
 * index's letter and the value, so that all indexes of a kind share a map.
 */
export function keysOf(kind: Kind, object: AnyObject): readonly string[] {
  const keys = [`i${object.id.slice(0, BUCKET)}`];
  const name = uniqueName(kind, object)?.toLowerCase();
  if (name) keys.push(`n${name}`, `p${name.slice(0, BUCKET)}`);
  switch (kind) {
    case 'task':
      return [...keys, ...taskKeys(object as Task)];
    case 'service':
      return [...keys, ...serviceKeys(object as Service)];
    case 'node':
      return [...keys, ...nodeKeys(object as Node)];
    default:
      return keys;
  }
}

/**
 * How to answer a selector: the objects under `key`, of which `accept`, if there, must hold too;
 * no key means a scan.
 */
export interface Lookup {
  readonly key?: string;
  readonly accept?: (object: AnyObject) => boolean;
}

export function lookupOf(kind: Kind, by: Selector): Lookup {
  if ('name' in by) return { key: `n${by.name.toLowerCase()}` };
  if ('serviceId' in by) return { key: `s${by.serviceId}` };
  if ('nodeId' in by) return { key: `h${by.nodeId}` };
  if ('slot' in by) return { key: slotKey(by.slot.serviceId, by.slot.slot) };
  if ('desiredState' in by) return { key: `d${by.desiredState}` };
  if ('networkId' in by) return { key: `w${by.networkId}` };
  if ('address' in by) return { key: addressKey(by.address.networkId, by.address.ip) };
  if ('publishedPort' in by) {
    return { key: portKey(by.publishedPort.protocol, by.publishedPort.port) };
  }
  if ('secretId' in by) return { key: `x${by.secretId}` };
  if ('configId' in by) return { key: `c${by.configId}` };
  if ('role' in by) return { key: `r${by.role}` };
  if ('idPrefix' in by) {
    return prefixLookup('i', by.idPrefix, (object) => object.id.startsWith(by.idPrefix));
  }
  const prefix = by.namePrefix.toLowerCase();
  return prefixLookup('p', prefix, (object) =>
    Boolean(uniqueName(kind, object)?.toLowerCase().startsWith(prefix)),
  );
}

function prefixLookup(letter: string, prefix: string, accept: (o: AnyObject) => boolean): Lookup {
  return prefix.length < BUCKET
    ? { accept }
    : { key: `${letter}${prefix.slice(0, BUCKET)}`, accept };
}

function slotKey(serviceId: string, slot: number): string {
  return `l${serviceId}/${slot}`;
}

/** `address` may carry a prefix length, which is cut off. */
function addressKey(networkId: string, address: string): string {
  const slash = address.indexOf('/');
  return `a${networkId}/${slash < 0 ? address : address.slice(0, slash)}`;
}

function portKey(protocol: number, port: number): string {
  return `o${protocol}/${port}`;
}

function* attachmentKeys(attachments: readonly NetworkAttachment[]): Iterable<string> {
  for (const { network, addresses } of attachments) {
    for (const address of addresses) yield addressKey(network?.id ?? '', address);
  }
}

function* nodeKeys(node: Node): Iterable<string> {
  yield `r${node.role}`;
  for (const { network } of node.attachments) yield `w${network?.id}`;
  yield* attachmentKeys(node.attachments);
}

function* taskKeys(task: Task): Iterable<string> {
  yield `s${task.serviceId}`;
  yield `h${task.nodeId}`;
  yield slotKey(task.serviceId, task.slot);
  yield `d${task.desiredState}`;
  const holdsAddresses = (task.status?.state ?? TaskState.NEW) <= TaskState.RUNNING;
  if (holdsAddresses) yield* attachmentKeys(task.networks);
  const attached = task.networks.map(({ network }) => network?.id ?? '');
  yield* referenceKeys(task.spec, task.spec?.networks ?? [], attached);
}

function* serviceKeys(service: Service): Iterable<string> {
  const { spec } = service;
  const wanted = spec?.task?.networks.length ? spec.task.networks : (spec?.networks ?? []);
  const held = service.endpoint?.virtualIps.map(({ networkId }) => networkId) ?? [];
  yield* referenceKeys(spec?.task, wanted, held);
  for (const { networkId, addr } of service.endpoint?.virtualIps ?? []) {
    if (addr) yield addressKey(networkId, addr);
  }
  yield* publishedPortKeys(service);
}

function publishedPortKeys({ spec, endpoint }: Service): Set<string> {
  const ports = [...(spec?.endpoint?.ports ?? []), ...(endpoint?.ports ?? [])];
  const published = ports.filter(({ publishedPort }) => publishedPort !== 0);
  return new Set(published.map((port) => portKey(port.protocol, port.publishedPort)));
}

/** What a task template refers to, and the networks of which addresses are held. */
function* referenceKeys(
  spec: TaskSpec | undefined,
  wanted: readonly NetworkAttachmentConfig[],
  held: readonly string[],
): Iterable<string> {
  if (wanted.length || held.length) {
    for (const id of new Set([...wanted.map(({ target }) => target), ...held])) yield `w${id}`;
  }
  if (spec?.runtime?.$case !== 'container') return;
  const { secrets, configs, privileges } = spec.runtime.container;
  for (const id of new Set(secrets.map(({ secretId }) => secretId))) yield `x${id}`;
  const credential = privileges?.credentialSpec?.source;
  const credentialConfig = credential?.$case === 'config' ? [credential.config] : [];
  const configIds = configs.map(({ configId }) => configId);
  for (const id of new Set([...configIds, ...credentialConfig])) yield `c${id}`;
}
