import {
  type CallOptions,
  Channel,
  type ChannelInterface,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { ContainersClient } from '../../../proto/gen/containerd/containers.ts';
import { ContentClient } from '../../../proto/gen/containerd/content.ts';
import { DiffClient } from '../../../proto/gen/containerd/diff.ts';
import { EventsClient } from '../../../proto/gen/containerd/events.ts';
import { ImagesClient } from '../../../proto/gen/containerd/images.ts';
import { LeasesClient } from '../../../proto/gen/containerd/leases.ts';
import { NamespacesClient } from '../../../proto/gen/containerd/namespaces.ts';
import { SnapshotsClient } from '../../../proto/gen/containerd/snapshots.ts';
import { TasksClient } from '../../../proto/gen/containerd/tasks.ts';
import { VersionClient } from '../../../proto/gen/containerd/version.ts';

const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

export interface CallInit {
  /** What this call makes is kept from the garbage collector while the lease lives. */
  readonly lease?: string;
  readonly signal?: AbortSignal;
}

type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

type StreamMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options?: Partial<CallOptions>,
) => ClientReadableStream<Response>;

/** One connection to a containerd, with a client for each service used, all in one namespace. */
export class ContainerdClient {
  readonly containers: ContainersClient;
  readonly content: ContentClient;
  readonly diff: DiffClient;
  readonly events: EventsClient;
  readonly images: ImagesClient;
  readonly leases: LeasesClient;
  readonly namespaces: NamespacesClient;
  readonly snapshots: SnapshotsClient;
  readonly tasks: TasksClient;
  readonly version: VersionClient;
  readonly #namespace: string;
  readonly #channel: ChannelInterface;

  constructor(components: { address: string; namespace: string }) {
    const target = `unix://${components.address}`;
    const insecure = credentials.createInsecure();
    const options = {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1000,
      'grpc.enable_http_proxy': 0,
    };
    this.#namespace = components.namespace;
    this.#channel = new Channel(target, insecure, options);
    const shared = { channelOverride: this.#channel as Channel };
    this.containers = new ContainersClient(target, insecure, shared);
    this.content = new ContentClient(target, insecure, shared);
    this.diff = new DiffClient(target, insecure, shared);
    this.events = new EventsClient(target, insecure, shared);
    this.images = new ImagesClient(target, insecure, shared);
    this.leases = new LeasesClient(target, insecure, shared);
    this.namespaces = new NamespacesClient(target, insecure, shared);
    this.snapshots = new SnapshotsClient(target, insecure, shared);
    this.tasks = new TasksClient(target, insecure, shared);
    this.version = new VersionClient(target, insecure, shared);
  }

  close(): void {
    this.#channel.close();
  }

  metadata(init: CallInit = {}): Metadata {
    const metadata = new Metadata();
    metadata.set('containerd-namespace', this.#namespace);
    if (init.lease) metadata.set('containerd-lease', init.lease);
    return metadata;
  }

  /** Calls `client[method]`; rejects with the `ServiceError`. */
  call<Client extends object, Request, Response>(
    client: Client,
    method: UnaryMethod<Request, Response>,
    request: Request,
    init: CallInit = {},
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (init.signal?.aborted) return reject(init.signal.reason);
      const onAbort = () => call.cancel();
      const call = method.call(client, request, this.metadata(init), {}, (error, response) => {
        init.signal?.removeEventListener('abort', onAbort);
        if (!error) resolve(response);
        else reject(init.signal?.aborted ? init.signal.reason : error);
      });
      init.signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The messages of a server stream. */
  async *stream<Client extends object, Request, Response>(
    client: Client,
    method: StreamMethod<Request, Response>,
    request: Request,
    init: CallInit = {},
  ): AsyncGenerator<Response> {
    const call = method.call(client, request, this.metadata(init));
    const onAbort = () => call.cancel();
    init.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      yield* call as AsyncIterable<Response>;
    } finally {
      init.signal?.removeEventListener('abort', onAbort);
      call.cancel();
    }
  }
}
