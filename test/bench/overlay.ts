/**
 * TCP throughput between containers of two hosts over an overlay network, beside the same devices
 * (veth, bridge, VXLAN) made by hand between the same hosts. Needs iperf3.
 */
import { compare } from './support/compare.ts';
import { HandMade } from './support/hand-made.ts';
import { throughput } from './support/iperf.ts';
import { findProcess } from './support/processes.ts';
import type { Figure } from './support/report.ts';
import { run } from './support/shell.ts';
import { type SwarmUnderTest, startService } from './support/swarm.ts';

const ROUNDS = Number(process.argv[2] ?? 7);
const SUBNET = '10.77.0';

await compare({ title: 'Overlay throughput, 2 hosts', managers: 1, measure });

async function measure(swarm: SwarmUnderTest): Promise<Figure[]> {
  const body = {
    Name: 'fast',
    Driver: 'overlay',
    IPAM: { Config: [{ Subnet: `${SUBNET}.0/24` }] },
  };
  await swarm.api(swarm.hosts[0] as string).call('POST', '/networks/create', body);
  const from = await containerOn(swarm, 1);
  const to = await containerOn(swarm, 2);
  const { address, mtu } = await deviceOf(to);
  const byHand = await HandMade.up(
    swarm,
    [1, 2].map((i) => swarm.hosts[i] as string),
    mtu,
  );
  const rounds: { overlay: number; hand: number }[] = [];
  try {
    for (let i = 0; i < ROUNDS; i++) {
      rounds.push({
        overlay: await throughput(from, to, address),
        hand: await throughput(byHand.from, byHand.to, byHand.address),
      });
    }
  } finally {
    await byHand.down();
  }
  const better = 'higher';
  const ratios = rounds.map(({ overlay, hand }) => (overlay / hand) * 100);
  return [
    { what: 'overlay', unit: 'Gbit/s', samples: rounds.map((r) => r.overlay), better },
    { what: 'made by hand', unit: 'Gbit/s', samples: rounds.map((r) => r.hand), better },
    { what: 'overlay of made by hand', unit: '%', samples: ratios, better, target: '≥ 98' },
  ];
}

/** The path of the network namespace of a container on the host. */
async function containerOn(swarm: SwarmUnderTest, index: number): Promise<string> {
  const hostname = swarm.hostname(swarm.hosts[index] as string);
  const command = ['sleep', `3153600${index}`]; // Told from every other one on this machine.
  await startService(swarm, { name: `c${index}`, replicas: 1, command, hostname, network: 'fast' });
  const pid = findProcess(command.join(' '), (args) => args.join(' ') === command.join(' '));
  return `/proc/${pid}/ns/net`;
}

interface DeviceView {
  readonly mtu: number;
  readonly addr_info: readonly { readonly local: string }[];
}

async function deviceOf(netns: string): Promise<{ address: string; mtu: number }> {
  const json = await run('nsenter', `--net=${netns}`, 'ip', '-j', '-4', 'addr');
  for (const { mtu, addr_info } of JSON.parse(json) as DeviceView[]) {
    const address = addr_info.find(({ local }) => local.startsWith(`${SUBNET}.`))?.local;
    if (address) return { address, mtu };
  }
  throw new Error(`no device in ${netns} is in ${SUBNET}.0/24`);
}
