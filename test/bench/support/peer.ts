import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { buildBusyboxImage } from '../../lab/busybox-image.ts';
import { Api } from './api.ts';
import { argumentsOf, familyOf, findProcess, findProcesses } from './processes.ts';
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
    await down();
    throw error;
  }
}

/** Containers go on when a daemon dies, and are in none of the script's namespaces. */
async function down(): Promise<void> {
  const containers = shimsIn(`${DIR}/`).flatMap(familyOf);
  await script('down');
  for (const pid of containers) {
    if (argumentsOf(pid).length > 0) process.kill(pid, 'SIGKILL');
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
      await down();
    },
  };
}

function daemonPid(host: string): number {
  return findProcess(`dockerd of host ${host}`, ([program = '', ...args]) => {
    return program.endsWith('/dockerd') && args.includes(`unix://${DIR}/n${host}/d.sock`);
  });
}

/**
 * As the script starts it: in the namespaces of its first life, if a container keeps them, since
 * the container's network is mounted there.
 */
async function restart(host: string): Promise<void> {
  const home = `${DIR}/n${host}`;
  const bin = `${DIR}/pkg/usr/sbin`;
  const [shim] = shimsIn(`${home}/`);
  const enter = shim
    ? ['--target', `${shim}`, '--mount', '--uts', '--net', 'sh', '-c']
    : [`--net=/run/netns/dsl${host}`, 'unshare', '--mount', '--uts', 'sh', '-c'];
  const prepare = shim
    ? ''
    : `mount --make-rprivate /; mount -t tmpfs t /run; mkdir -p /run/docker /run/netns
       mount --bind ${DIR}/resolv.conf /etc/resolv.conf; hostname d${host}`;
  const start = `rm -f ${home}/pid ${home}/exec/containerd/containerd.pid
    exec env PATH=${bin}:$PATH ${bin}/dockerd --data-root ${home}/root --exec-root ${home}/exec \
      -p ${home}/pid -H unix://${home}/d.sock >>${home}/log 2>&1`;
  const child = spawn('nsenter', [...enter, `${prepare}\n${start}`], {
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
}

function shimsIn(folder: string): number[] {
  return findProcesses(
    ([program = '', ...args]) =>
      program.includes('containerd-shim') && args.some((arg) => arg.startsWith(folder)),
  );
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
