import { run } from './shell.ts';
import type { SwarmUnderTest } from './swarm.ts';

const VNI = '7777';
const PORT = '4790'; // Next to the swarm's own.
const NAMES = ['bench-hand-1', 'bench-hand-2'] as const;
const container = (name: string) => `${name}-c`;

/** What an overlay network of two hosts is made of, without a swarm that makes it. */
export class HandMade {
  readonly from = `/run/netns/${container(NAMES[0])}`;
  readonly to = `/run/netns/${container(NAMES[1])}`;
  readonly address = '10.78.0.2';

  static async up(swarm: SwarmUnderTest, hosts: readonly string[], mtu: number): Promise<HandMade> {
    const made = new HandMade();
    try {
      for (const [i, name] of NAMES.entries()) {
        const [host = '', other = ''] = [hosts[i], hosts[1 - i]];
        await makeEnd(name, {
          host: swarm.netns(host),
          local: swarm.address(host),
          remote: swarm.address(other),
          address: `10.78.0.${i + 1}/24`,
          mtu: String(mtu),
        });
      }
      return made;
    } catch (error) {
      await made.down();
      throw error;
    }
  }

  async down(): Promise<void> {
    for (const name of NAMES.flatMap((each) => [each, container(each)])) {
      await run('ip', 'netns', 'del', name).catch(() => undefined);
    }
  }
}

interface End {
  readonly host: string;
  readonly local: string;
  readonly remote: string;
  readonly address: string;
  readonly mtu: string;
}

async function makeEnd(name: string, { host, local, remote, address, mtu }: End): Promise<void> {
  const ip = (...args: string[]) => run('ip', ...args);
  const inner = container(name);
  await ip('netns', 'add', name);
  await ip('netns', 'add', inner);
  const vxlan = ['type', 'vxlan', 'id', VNI, 'dstport', PORT, 'local', local, 'remote', remote];
  // Made in the host's namespace, so that its packets leave from there.
  await ip('-n', host, 'link', 'add', 'bench-vx', 'mtu', mtu, ...vxlan);
  await ip('-n', host, 'link', 'set', 'bench-vx', 'netns', name);
  await ip('-n', name, 'link', 'add', 'br0', 'mtu', mtu, 'type', 'bridge');
  const veth = ['type', 'veth', 'peer', 'name', 'eth0', 'mtu', mtu, 'netns', inner];
  await ip('-n', name, 'link', 'add', 'v0', 'mtu', mtu, ...veth);
  for (const device of ['bench-vx', 'v0']) {
    await ip('-n', name, 'link', 'set', device, 'master', 'br0', 'up');
  }
  await ip('-n', name, 'link', 'set', 'br0', 'up');
  await ip('-n', inner, 'addr', 'add', address, 'dev', 'eth0');
  await ip('-n', inner, 'link', 'set', 'eth0', 'up');
}
