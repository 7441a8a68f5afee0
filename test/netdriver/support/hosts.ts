import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { systemClock } from '../../../common/clock.ts';
import { createLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { LinuxKernel } from '../../../netdriver/kernel/linux-kernel.ts';
import { NetDriver } from '../../../netdriver/net-driver.ts';
import type { SwarmIdentity } from '../../../netdriver/types.ts';
import { GossipBus } from './gossip-bus.ts';

/** Why kernel tests cannot run here, or false: they work in namespaces of their own. */
export const noRoot = process.getuid?.() === 0 ? false : 'network namespaces take root';

const UNDERLAY = '192.168.90';
let laboratories = 0;

export interface TestHost {
  readonly index: number;
  readonly ip: string;
  readonly kernel: LinuxKernel;
  driver: NetDriver;
  readonly identity: SwarmIdentity;
  /** A new driver on the same kernel and state, as after a restart of the daemon. */
  renew(): NetDriver;
}

/**
 * Hosts as network namespaces on one bridge in a namespace of its own. Each host has its own folder
 * for namespaces, so that one process can run all their drivers; a client stands beside them.
 */
export class Laboratory {
  readonly hosts: TestHost[] = [];
  readonly bus = new GossipBus();
  client!: LinuxKernel;
  readonly clientIp = `${UNDERLAY}.200`;
  readonly #prefix = `nd${process.pid}x${laboratories++}`;
  readonly #folder = mkdtempSync(`${tmpdir()}/netdriver-`);
  readonly #outer = new LinuxKernel();
  readonly #names: string[] = [];
  /** The daemon's timers do not keep a process alive; a test that waits for them must. */
  readonly #keepAlive = setInterval(() => {}, 60_000);

  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  async start(): Promise<void> {
    await this.#create('net');
    await this.#outer.apply(this.#name('net'), [{ op: 'add-bridge', name: 'br' }]);
    for (let index = 1; index <= this.#count; index++) this.hosts.push(await this.#addHost(index));
    this.client = await this.#addNamespace('client', this.clientIp);
    for (const host of this.hosts) {
      await host.driver.start([]);
      await host.driver.joinSwarm(host.identity);
    }
  }

  /** Every driver lets go, and every namespace and folder is removed. */
  async remove(): Promise<void> {
    clearInterval(this.#keepAlive);
    for (const host of this.hosts) await host.driver.stop().catch(() => {});
    for (const host of this.hosts)
      for (const n of host.kernel.netnsNames()) host.kernel.removeNetns(n);
    for (const name of this.#names.reverse()) this.#outer.removeNetns(name);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #addHost(index: number): Promise<TestHost> {
    const ip = `${UNDERLAY}.${index}`;
    const kernel = await this.#addNamespace(`h${index}`, ip);
    const stateDir = `${this.#folder}/h${index}-state`;
    const resolvConf = `${this.#folder}/resolv.conf`;
    writeFileSync(resolvConf, `nameserver ${this.clientIp}\nsearch example.test\n`);
    const renew = () =>
      new NetDriver(
        {
          kernel,
          gossip: this.bus.node(),
          clock: systemClock,
          random: systemRandom,
          logger: createLogger(process.env['TEST_LOG'] ?? 'silent'),
        },
        { stateDir, hostResolvConf: resolvConf },
      );
    const identity: SwarmIdentity = {
      nodeId: `node${index}`.padEnd(25, '0'),
      gossipKey: new Uint8Array(32),
      gossipListen: '0.0.0.0:7946',
      advertiseAddr: ip,
      dataPathAddr: ip,
      dataPathPort: 4789,
    };
    return { index, ip, kernel, identity, driver: renew(), renew };
  }

  async #addNamespace(label: string, ip: string): Promise<LinuxKernel> {
    await this.#create(label);
    const [net, own] = [this.#name('net'), this.#name(label)];
    await this.#outer.apply(net, [
      {
        op: 'add-veth',
        name: label,
        master: 'br',
        mtu: 1500,
        peer: { name: 'up0', netns: own, mac: `02:00:00:00:00:${hex(Number(ip.split('.')[3]))}` },
      },
    ]);
    await this.#outer.apply(own, [
      { op: 'set-link', name: 'up0', up: true },
      { op: 'add-address', dev: 'up0', address: `${ip}/24` },
    ]);
    const directory = `${this.#folder}/${label}`;
    mkdirSync(directory);
    return new LinuxKernel({ directory, host: this.#outer.netnsPath(own) });
  }

  async #create(label: string): Promise<void> {
    const name = this.#name(label);
    await this.#outer.createNetns(name);
    this.#names.push(name);
    this.#outer.setSysctls(name, { 'net.ipv6.conf.default.disable_ipv6': '1' });
  }

  #name(label: string): string {
    return `${this.#prefix}-${label}`;
  }
}

/** What a host has in its kernel that a driver could have left. */
export function remains(host: TestHost): { netns: string[]; links: string[]; nft: string } {
  const path = host.kernel.netnsPath('');
  return {
    netns: readdirSync(host.kernel.netnsPath('x').slice(0, -2)),
    links: host.kernel
      .links('')
      .map((link) => link.name)
      .filter((name) => name !== 'lo' && name !== 'up0'),
    nft: execFileSync('nsenter', [`--net=${path}`, 'nft', 'list', 'tables'], { encoding: 'utf8' }),
  };
}

/** Runs a command inside a namespace of a host, for looking at things when a test fails. */
export function inside(kernel: LinuxKernel, netns: string, ...command: string[]): string {
  const path = kernel.netnsPath(netns);
  return execFileSync('nsenter', [`--net=${path}`, ...command], { encoding: 'utf8' });
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}
