import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../common/clock.ts';
import { SwarmError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import { systemRandom } from '../common/random.ts';
import type { Startable } from '../common/startable.ts';
import { TurnQueue } from '../common/turn-queue.ts';
import { createGossip, LinuxKernel, NetDriver } from '../netdriver/index.ts';
import { Engine } from '../worker/index.ts';
import { splitHostPort } from './addresses.ts';
import { type ApiServer, createApiServer, type ListenAddress } from './api/index.ts';
import { SwarmNode } from './node.ts';
import type { DaemonOptions } from './options.ts';
import { readSystemInfo } from './system-info.ts';

const DEFAULT_TLS_PORT = 2376;

/**
 * One node: engine, network driver, membership and API. They start in the order in which they need
 * each other; the API answers as soon as the engine has taken over what runs.
 */
export class Daemon implements Startable {
  readonly #logger: Logger;
  readonly #options: DaemonOptions;
  #engine: Engine | undefined;
  #netdriver: NetDriver | undefined;
  #node: SwarmNode | undefined;
  #api: ApiServer | undefined;

  constructor(components: { logger: Logger }, options: DaemonOptions) {
    this.#logger = components.logger;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { stateDir, runDir, containerd, cgroupParent, gossipPort, label } = this.#options;
    const turns = new TurnQueue();
    const base = { clock: systemClock, random: systemRandom, yieldTurn: turns.next };
    const log = (module: string) => this.#logger.child({ module });
    const netdriver = new NetDriver(
      {
        ...base,
        logger: log('netdriver'),
        kernel: new LinuxKernel(),
        gossip: createGossip({ ...base, logger: log('gossip') }),
      },
      { stateDir: join(stateDir, 'network') },
    );
    const engine = new Engine(
      { ...base, logger: log('engine'), netdriver },
      {
        stateDir,
        runDir,
        cgroupParent,
        insecureRegistries: this.#options.insecureRegistry,
        ...(containerd ? { containerdAddress: containerd } : {}),
      },
    );
    const systemInfo = await readSystemInfo({ stateDir, labels: label });
    const node = new SwarmNode(
      { ...base, logger: log('node'), engine, netdriver, systemInfo },
      { stateDir, gossipPort },
    );
    const api = createApiServer(
      { ...base, logger: log('api'), node },
      { listen: await this.#listen() },
    );
    this.#engine = engine;
    this.#netdriver = netdriver;
    this.#node = node;
    await engine.start();
    await node.start();
    await api.start();
    this.#api = api;
    this.#logger.info({ stateDir, runDir }, 'swarmd is ready');
  }

  /** Containers and networks stay as they are. */
  async stop(): Promise<void> {
    await this.#api?.stop();
    await this.#node?.stop();
    await this.#engine?.stop();
    await this.#netdriver?.stop();
  }

  async #listen(): Promise<ListenAddress[]> {
    const { host, runDir } = this.#options;
    const hosts = host.length > 0 ? host : [`unix://${join(runDir, 'swarmd.sock')}`];
    return Promise.all(hosts.map((address) => this.#parseListen(address)));
  }

  async #parseListen(address: string): Promise<ListenAddress> {
    if (address.startsWith('unix://')) return { kind: 'unix', path: address.slice(7) };
    const tls = await this.#tls();
    const parsed = splitHostPort(address.replace(/^tcp:\/\//, ''), DEFAULT_TLS_PORT);
    if (!address.startsWith('tcp://') || !parsed) {
      throw new SwarmError(
        'SWM_INVALID_ARGUMENT',
        `cannot listen on ${address}: use unix:///path or tcp://host:port`,
      );
    }
    if (!tls && !['127.0.0.1', 'localhost', '::1'].includes(parsed.host)) {
      throw new SwarmError(
        'SWM_INVALID_ARGUMENT',
        `${address} would let anyone on the network control this machine`,
        { hint: 'give --tlscert, --tlskey and --tlscacert, or listen on 127.0.0.1' },
      );
    }
    return { kind: 'tcp', host: parsed.host, port: parsed.port, ...(tls ? { tls } : {}) };
  }

  async #tls(): Promise<{ cert: string; key: string; ca?: string } | undefined> {
    const { tlscert, tlskey, tlscacert } = this.#options;
    if (!tlscert || !tlskey) return undefined;
    const [cert, key] = await Promise.all([readFile(tlscert, 'utf8'), readFile(tlskey, 'utf8')]);
    return tlscacert ? { cert, key, ca: await readFile(tlscacert, 'utf8') } : { cert, key };
  }
}
