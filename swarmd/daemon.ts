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
import { type ApiServer, createApiServer, type ListenAddress, Listener } from './api/index.ts';
import {
  EventLoopWatch,
  Metrics,
  metricsHandler,
  metricsRoute,
  NodeLoopProbe,
  processFacts,
} from './metrics/index.ts';
import { SwarmNode } from './node.ts';
import type { DaemonOptions } from './options.ts';
import { isKnown, readSystemInfo } from './system-info.ts';

const DEFAULT_TLS_PORT = 2376;
/** Docker's for metrics. */
const DEFAULT_METRICS_PORT = 9323;

/**
 * One node: engine, network driver, membership and API. They start in the order in which they need
 * each other; the API answers as soon as the engine has taken over what runs, and not before the node
 * has looked at its disk: nobody is told that nothing is locked while that is not known yet.
 */
export class Daemon implements Startable {
  readonly #logger: Logger;
  readonly #options: DaemonOptions;
  #engine: Engine | undefined;
  #netdriver: NetDriver | undefined;
  #node: SwarmNode | undefined;
  #api: ApiServer | undefined;
  #metricsListener: Listener | undefined;
  readonly #watch: EventLoopWatch;
  readonly #metrics: Metrics;

  constructor(components: { logger: Logger }, options: DaemonOptions) {
    this.#logger = components.logger;
    this.#options = options;
    this.#metrics = new Metrics({
      clock: systemClock,
      manager: () => this.#node?.manager,
      process: processFacts,
    });
    this.#watch = new EventLoopWatch({
      clock: systemClock,
      logger: this.#logger.child({ module: 'event-loop' }),
      probe: new NodeLoopProbe(),
      onPeriod: (period, reading) => this.#metrics.loopPeriod(period, reading),
    });
  }

  async start(): Promise<void> {
    const { stateDir, runDir, containerd, cgroupParent, gossipPort, label } = this.#options;
    const turns = new TurnQueue({ onTurn: (what) => this.#watch.note(what) });
    const base = { clock: systemClock, random: systemRandom, yieldTurn: turns.next };
    const log = (module: string) => this.#logger.child({ module });
    const netdriver = new NetDriver(
      {
        ...base,
        logger: log('netdriver'),
        kernel: new LinuxKernel(),
        gossip: createGossip({ ...base, logger: log('gossip') }),
      },
      { stateDir: join(stateDir, 'network'), saved: isKnown(stateDir) },
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
    this.#engine = engine;
    this.#netdriver = netdriver;
    await engine.start();
    const systemInfo = await readSystemInfo({ stateDir, labels: label });
    const node = new SwarmNode(
      {
        ...base,
        logger: log('node'),
        engine,
        netdriver,
        systemInfo,
        onProposed: (ms) => this.#metrics.proposed(ms),
      },
      { stateDir, gossipPort },
    );
    const api = createApiServer(
      { ...base, logger: log('api'), node },
      { listen: await this.#listen(), extend: metricsRoute(this.#metrics, this.#watch) },
    );
    this.#node = node;
    await this.#watch.start();
    await node.start();
    await api.start();
    this.#api = api;
    await this.#serveMetrics();
    this.#logger.info({ stateDir, runDir }, 'swarmd is ready');
  }

  /** Containers and networks stay as they are. */
  async stop(): Promise<void> {
    await this.#metricsListener?.stop();
    await this.#api?.stop();
    await this.#node?.stop();
    await this.#engine?.stop();
    await this.#netdriver?.stop();
    await this.#watch.stop();
  }

  async #serveMetrics(): Promise<void> {
    const { metricsAddr } = this.#options;
    if (!metricsAddr) return;
    const address = splitHostPort(metricsAddr, DEFAULT_METRICS_PORT);
    if (!address?.host) {
      throw new SwarmError('SWM_INVALID_ARGUMENT', `${metricsAddr} is not a host:port for metrics`);
    }
    const listener = new Listener(
      metricsHandler(this.#metrics),
      { kind: 'tcp', ...address },
      { who: 'the metrics', option: '--metrics-addr' },
    );
    await listener.start();
    this.#metricsListener = listener;
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
