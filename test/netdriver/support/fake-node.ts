import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { silentLogger } from '../../../common/logger.ts';
import { NetDriver } from '../../../netdriver/net-driver.ts';
import type { SwarmIdentity } from '../../../netdriver/types.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { FakeKernel } from './fake-kernel.ts';
import { GossipBus } from './gossip-bus.ts';

/** A node whose kernel, time and gossip are in memory. */
export class FakeNode {
  readonly kernel = new FakeKernel();
  readonly clock = new VirtualClock();
  readonly identity: SwarmIdentity;
  driver: NetDriver;
  readonly #bus: GossipBus;
  readonly #stateDir = mkdtempSync(`${tmpdir()}/netdriver-`);

  constructor(index = 1, bus = new GossipBus()) {
    this.#bus = bus;
    this.identity = {
      nodeId: `node${index}`.padEnd(25, '0'),
      gossipKey: new Uint8Array(32),
      gossipListen: '0.0.0.0:7946',
      advertiseAddr: `192.168.1.${index}`,
      dataPathAddr: `192.168.1.${index}`,
      dataPathPort: 4789,
    };
    this.driver = this.renew();
  }

  /** A driver on the same kernel and state, as after a restart. */
  renew(): NetDriver {
    this.driver = new NetDriver(
      {
        kernel: this.kernel,
        gossip: this.#bus.node(),
        clock: this.clock,
        random: seededRandom(7),
        logger: silentLogger,
      },
      { stateDir: this.#stateDir, hostResolvConf: '/dev/null' },
    );
    return this.driver;
  }

  async start(): Promise<void> {
    await this.driver.start([]);
    await this.driver.joinSwarm(this.identity);
  }

  remove(): void {
    rmSync(this.#stateDir, { recursive: true, force: true });
  }
}

/** Everything the kernel holds, as text that two moments can be compared by. */
export function snapshot(kernel: FakeKernel): string {
  const namespaces = [...kernel.namespaces].sort().map(([name, ns]) => ({
    name,
    links: [...ns.links.keys()].sort(),
    addresses: ns.addresses.map(({ dev, address }) => `${dev} ${address}`).sort(),
    nft: ns.nft.state(),
  }));
  const [reserved, accepted] = [kernel.reserved, kernel.accepted].map((set) => [...set].sort());
  return JSON.stringify({ namespaces, reserved, accepted }, undefined, 1);
}
