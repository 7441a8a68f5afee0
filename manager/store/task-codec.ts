import protobuf from 'protobufjs/minimal.js';
import { Endpoint, Network, NetworkAttachment, Task } from '../../proto/gen/swarm/objects.ts';
import { TaskSpec } from '../../proto/gen/swarm/specs.ts';
import { Annotations } from '../../proto/gen/swarm/types.ts';
import { encodingOf, knownEncodingOf, type SharedParts } from './shared-parts.ts';

/** Numbers of the fields of `Task` that many tasks have in common. */
const SPEC = 3;
const SERVICE_ANNOTATIONS = 9;
const NETWORKS = 12;
const ENDPOINT = 13;
const SHARED = new Set([SPEC, SERVICE_ANNOTATIONS, NETWORKS, ENDPOINT]);
/** Of `NetworkAttachment`. */
const NETWORK = 1;
const SHARED_OF_ATTACHMENT = new Set([NETWORK]);

const LENGTH_DELIMITED = 2;

/** What `Task.encode` makes, with the fields in another order. */
export function encodeTask(task: Task): Uint8Array {
  const { spec, serviceAnnotations, endpoint, networks } = task;
  const own = { spec: undefined, serviceAnnotations: undefined, endpoint: undefined, networks: [] };
  const writer = Task.encode({ ...task, ...own });
  const put = (field: number, bytes: Uint8Array) => writer.uint32(tagOf(field)).bytes(bytes);
  if (spec)
    put(
      SPEC,
      encodingOf(spec, (value) => TaskSpec.encode(value).finish()),
    );
  if (serviceAnnotations) {
    const encode = (value: Annotations) => Annotations.encode(value).finish();
    put(SERVICE_ANNOTATIONS, encodingOf(serviceAnnotations, encode));
  }
  for (const attachment of networks) put(NETWORKS, encodeAttachment(attachment));
  if (endpoint)
    put(
      ENDPOINT,
      encodingOf(endpoint, (value) => Endpoint.encode(value).finish()),
    );
  return writer.finish();
}

/** What `Task.decode` makes of it, with the parts that other tasks have too taken from `shared`. */
export function decodeTask(bytes: Uint8Array, shared: SharedParts): Task {
  const { rest, parts } = split(bytes, SHARED);
  const task = Task.decode(rest) as Mutable<Task>;
  const networks: NetworkAttachment[] = [];
  for (const [field, part] of parts) {
    if (field === SPEC) task.spec = shared.specs.get(part);
    else if (field === SERVICE_ANNOTATIONS) task.serviceAnnotations = shared.annotations.get(part);
    else if (field === ENDPOINT) task.endpoint = shared.endpoints.get(part);
    else networks.push(decodeAttachment(part, shared));
  }
  task.networks = networks;
  return task;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The leader has a copy of the network for each task, of which nothing is worth remembering. */
function encodeAttachment(attachment: NetworkAttachment): Uint8Array {
  const { network } = attachment;
  const writer = NetworkAttachment.encode({ ...attachment, network: undefined });
  if (network) {
    const bytes = knownEncodingOf(network) ?? Network.encode(network).finish();
    writer.uint32(tagOf(NETWORK)).bytes(bytes);
  }
  return writer.finish();
}

function decodeAttachment(bytes: Uint8Array, shared: SharedParts): NetworkAttachment {
  const { rest, parts } = split(bytes, SHARED_OF_ATTACHMENT);
  const attachment = NetworkAttachment.decode(rest) as Mutable<NetworkAttachment>;
  for (const [, part] of parts) attachment.network = shared.networks.get(part);
  return attachment;
}

function tagOf(field: number): number {
  return (field << 3) | LENGTH_DELIMITED;
}

/** A message without the messages in some of its fields, and those. */
function split(
  bytes: Uint8Array,
  fields: ReadonlySet<number>,
): { rest: Uint8Array; parts: [field: number, bytes: Uint8Array][] } {
  const reader = protobuf.Reader.create(bytes);
  const kept: Uint8Array[] = [];
  const parts: [number, Uint8Array][] = [];
  let from = 0;
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    if ((tag & 7) === LENGTH_DELIMITED && fields.has(tag >>> 3)) {
      parts.push([tag >>> 3, reader.bytes()]);
      if (start > from) kept.push(bytes.subarray(from, start));
      from = reader.pos;
    } else reader.skipType(tag & 7);
  }
  if (parts.length === 0) return { rest: bytes, parts };
  if (from < bytes.length) kept.push(bytes.subarray(from));
  return { rest: kept.length === 1 ? (kept[0] as Uint8Array) : Buffer.concat(kept), parts };
}
