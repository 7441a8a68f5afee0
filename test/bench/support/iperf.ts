import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { run } from './shell.ts';

const SECONDS = 3;

/** Gbit/s of one TCP connection between two network namespaces, as the receiver counts them. */
export async function throughput(from: string, to: string, address: string): Promise<number> {
  const server = spawn('nsenter', [`--net=${to}`, 'iperf3', '-s', '-1', '--forceflush']);
  const ended = once(server, 'exit');
  try {
    await once(server.stdout, 'data'); // It listens.
    const client = ['iperf3', '-c', address, '-t', `${SECONDS}`, '-O', '1', '-J'];
    const json = await run('nsenter', `--net=${from}`, ...client);
    const { end } = JSON.parse(json) as { end: { sum_received: { bits_per_second: number } } };
    return end.sum_received.bits_per_second / 1e9;
  } finally {
    server.kill();
    await ended;
  }
}
