import {
  Server,
  type ServerInterceptor,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../common/clock.ts';
import { cannotListen } from '../common/listen-error.ts';
import type { SecurityConfigApi } from './types.ts';

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const SHUTDOWN_GRACE_MS = 300;
const FAILURE = { option: '--listen-addr', suspect: 'is Docker in swarm mode on this machine?' };

export interface RpcServerComponents {
  readonly clock: Clock;
  readonly security: Pick<SecurityConfigApi, 'serverCredentials'>;
  readonly interceptors: readonly ServerInterceptor[];
}

/** The one gRPC listener of a manager. */
export interface RpcListener {
  /** `definition` is what ts-proto exports as `<Name>Service`. */
  add<S extends UntypedServiceImplementation>(
    definition: Readonly<Record<string, unknown>>,
    implementation: S,
  ): void;
  /** Rejects with SWM_FAILED_PRECONDITION when the address, host:port, is not to be had. */
  listen(addr: string): Promise<void>;
  /** Lets calls under way finish, but not for long: streams of peers and agents have no end. */
  stop(): Promise<void>;
}

/** On a socket, with TLS. */
export class RpcServer implements RpcListener {
  readonly #components: RpcServerComponents;
  readonly #server: Server;

  constructor(components: RpcServerComponents) {
    this.#components = components;
    this.#server = new Server({
      interceptors: [...components.interceptors],
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc-node.flow_control_window': 1024 * 1024,
    });
  }

  add<S extends UntypedServiceImplementation>(
    definition: Readonly<Record<string, unknown>>,
    implementation: S,
  ): void {
    this.#server.addService(definition as unknown as ServiceDefinition, implementation);
  }

  listen(addr: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(addr, this.#components.security.serverCredentials(), (error) =>
        error ? reject(cannotListen(addr, error, FAILURE)) : resolve(),
      );
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      const force = this.#components.clock.setTimer(SHUTDOWN_GRACE_MS, () => {
        this.#server.forceShutdown();
        resolve();
      });
      this.#server.tryShutdown(() => {
        force.cancel();
        resolve();
      });
    });
  }
}
