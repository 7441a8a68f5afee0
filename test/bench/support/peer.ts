import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { buildBusyboxImage } from '../../lab/busybox-image.ts';
import { Api } from './api.ts';
import { findProcess } from './processes.ts';
import { run } from './shell.ts';
import type { SwarmUnderTest } from './swarm.ts';

/**
 * Path of a script that runs a real Docker Swarm of three hosts: `up MANAGERS` and `down`. It keeps
 * host N in `$DOCKER_LAB_DIR/nN`, with the socket `d.sock`, in the network namespace `dslN`.
 */
const SCRIPT = process.env['DOCKER_SWARM_LAB'];
const DIR = process.env['DOCKER_LAB_DIR'] ?? '/var/tmp/docker-swarm-lab';
const HOSTS = ['1', '2', '3'];
const IMAGE = 'bench:latest';

/** Why there is nothing to compare with, or undefined. */
export const noPeer = SCRIPT
  ? undefined
  : 'no peer: DOCKER_SWARM_LAB is not the path of a script that runs a Docker Swarm';

export async function upPeer(managers: number): Promise<SwarmUnderTest> {
  if (existsSync('/run/netns/dsl0')) throw new Error('a Docker Swarm is up already: not ours');
  try {
    await script('up', String(managers));
    await run('ip', '-n', 'dsl0', 'addr', 'add', '192.168.66.254/24', 'dev', 'ub');
    const apis = new Map(HOSTS.map((host) => [host, new Api(`${DIR}/n${host}/d.sock`)]));
    const api = (host: string) => apis.get(host) as Api;
    await Promise.all(HOSTS.map((host) => importImage(api(host))));
    return swarmOf(managers, api);
  } catch (error) {
    await script('down');
    throw error;
  }
}

function swarmOf(managers: number, api: (host: string) => Api): SwarmUnderTest {
  return {
    name: 'Docker Swarm',
    hosts: HOSTS,
    managers: HOSTS.slice(0, managers),
    image: IMAGE,
    api,
    daemonPid,
    address: (host) => `192.168.66.${host}`,
    hostname: (host) => `d${host}`,
    outside: 'dsl0',
    netns: (host) => `dsl${host}`,
    restart,
    unplug: (host) => setMaster(host, 'nomaster'),
    plug: (host) => setMaster(host, 'master', 'ub'),
    down: async () => {
      for (const host of HOSTS) api(host).close();
      await script('down');
    },
  };
}

function daemonPid(host: string): number {
  return findProcess(`dockerd of host ${host}`, ([program = '', ...args]) => {
    return program.endsWith('/dockerd') && args.includes(`unix://${DIR}/n${host}/d.sock`);
  });
}

/** As the script starts it, with what is left of the first life. */
async function restart(host: string): Promise<void> {
  const home = `${DIR}/n${host}`;
  const bin = `${DIR}/pkg/usr/sbin`;
  const command = `
    mount --make-rprivate /; mount -t tmpfs t /run; mkdir -p /run/docker /run/netns
    mount --bind ${DIR}/resolv.conf /etc/resolv.conf; hostname d${host}; rm -f ${home}/pid
    exec env PATH=${bin}:$PATH ${bin}/dockerd --data-root ${home}/root --exec-root ${home}/exec \
      -p ${home}/pid -H unix://${home}/d.sock >>${home}/log 2>&1`;
  const child = spawn(
    'nsenter',
    [`--net=/run/netns/dsl${host}`, 'unshare', '-m', '-u', 'sh', '-c', command],
    { detached: true, stdio: 'ignore' },
  );
  child.unref();
}

async function setMaster(host: string, ...args: string[]): Promise<void> {
  await run('ip', '-n', 'dsl0', 'link', 'set', `dslv${host}`, ...args);
}

async function importImage(api: Api): Promise<void> {
  const { layer } = await buildBusyboxImage({ cmd: ['sh'] });
  const [repo, tag] = IMAGE.split(':');
  const path = `/images/create?fromSrc=-&repo=${repo}&tag=${tag}`;
  await api.call('POST', path, gunzipSync(layer));
}

async function script(...args: string[]): Promise<void> {
  const env = { ...process.env, DOCKER_LAB_DIR: DIR };
  // Its daemons inherit the output, so that must not be waited for.
  const command = ['-c', '"$@" >"$0" 2>&1', '/tmp/docker-swarm-lab.log', SCRIPT ?? '', ...args];
  try {
    await promisify(execFile)('bash', command, { env, timeout: 180_000 });
  } catch (error) {
    throw new Error(`${SCRIPT} ${args.join(' ')}, see /tmp/docker-swarm-lab.log: ${error}`);
  }
}
