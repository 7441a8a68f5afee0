import { Api } from './api.ts';
import { image, LAB_NAME, Lab } from './lab.ts';
import { findProcess } from './processes.ts';
import type { SwarmUnderTest } from './swarm.ts';

/** A swarm of this repository's daemons, in a lab of `cluster.sh`. */
export async function upOurs(managers: number, workers: number): Promise<SwarmUnderTest> {
  const lab = await Lab.up({ managers, workers });
  const apis = new Map<string, Api>();
  const api = (host: string) => {
    const known = apis.get(host) ?? new Api(lab.socket(host).replace('unix://', ''));
    apis.set(host, known);
    return known;
  };
  return {
    name: 'swarm-ts',
    hosts: lab.hosts,
    managers: lab.hosts.slice(0, managers),
    image: image('busybox'),
    api,
    daemonPid: (host) => daemonPid(host),
    address: (host) => lab.address(host),
    hostname: (host) => host,
    outside: `${LAB_NAME}-lab-net`,
    netns: (host) => `${LAB_NAME}-lab-${host}`,
    restart: async (host) => void (await lab.verb('restart', host)),
    unplug: async (host) => void (await lab.verb('partition', host)),
    plug: async (host) => void (await lab.verb('heal', host)),
    down: async () => {
      for (const each of apis.values()) each.close();
      await lab.down();
    },
  };
}

function daemonPid(host: string): number {
  const cgroup = `/${LAB_NAME}-lab/${host}`;
  return findProcess(`swarmd on ${host}`, ([program = '', ...args]) => {
    return program.endsWith('node') && args.includes(cgroup) && args.includes('--state-dir');
  });
}
