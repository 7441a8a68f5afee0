import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { RpcListener } from '../../../manager/rpc-server.ts';
import type { SimGrpc, SimServer } from './grpc.ts';

type Service = readonly [object, UntypedServiceImplementation];

/** The server of a manager on the simulated network. The client tells who calls: see `identify`. */
export class SimRpcServer implements RpcListener {
  readonly #grpc: SimGrpc;
  readonly #end: Omit<SimServer, 'handlers'>;
  readonly #services: Service[] = [];
  #close = () => {};

  constructor(grpc: SimGrpc, end: Omit<SimServer, 'handlers'>) {
    this.#grpc = grpc;
    this.#end = end;
  }

  add<S extends UntypedServiceImplementation>(definition: object, implementation: S): void {
    this.#services.push([definition, implementation]);
  }

  async listen(addr: string): Promise<void> {
    this.#close = this.#grpc.listen(addr, this.#end, this.#services);
  }

  async stop(): Promise<void> {
    this.#close();
  }
}
