import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { arch, cpus, hostname, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeFileAtomic } from '../common/atomic-file.ts';
import { decodeCheckedText, encodeCheckedText } from '../common/checksum.ts';
import { newId } from '../common/ids.ts';
import { systemRandom } from '../common/random.ts';
import type { SystemInfo } from './api/node-api.ts';

const VERSION = '0.1.0';

/** True when an earlier daemon has started here. */
export function isKnown(stateDir: string): boolean {
  return existsSync(idPath(stateDir));
}

/**
 * Reads what GET /info and /version tell of this machine; done once, at the start. Makes this machine
 * known, so what must be there from the first start on is to be there before.
 */
export async function readSystemInfo(init: {
  stateDir: string;
  labels: readonly string[];
}): Promise<SystemInfo> {
  const os = osRelease();
  const [containerd, runc] = await Promise.all([
    firstLine('containerd', ['--version']),
    firstLine('runc', ['--version']),
  ]);
  return {
    id: await daemonId(init.stateDir),
    hostname: hostname(),
    kernelVersion: release(),
    operatingSystem: os.get('PRETTY_NAME') ?? 'Linux',
    osVersion: os.get('VERSION_ID') ?? '',
    architecture: machineName(),
    cpus: cpus().length,
    memoryBytes: totalmem(),
    rootDir: init.stateDir,
    storageDriver: 'overlayfs',
    loggingDriver: 'json-file',
    cgroupDriver: 'cgroupfs',
    cgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? '2' : '1',
    containerdVersion: versionIn(containerd),
    runcVersion: versionIn(runc),
    version: VERSION,
    gitCommit: '',
    buildTime: '',
    labels: init.labels,
  };
}

/** As `uname -m` says. */
function machineName(): string {
  const names: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' };
  return names[arch()] ?? arch();
}

function osRelease(): ReadonlyMap<string, string> {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const pairs = text.split('\n').map((line) => line.split('=') as [string, string?]);
  return new Map(pairs.map(([key, value]) => [key, (value ?? '').replace(/^"|"$/g, '')]));
}

async function firstLine(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, [...args]).catch(() => ({ stdout: '' }));
  return stdout.split('\n')[0] ?? '';
}

function versionIn(line: string): string {
  return /\d+\.\d+\.\d+\S*/.exec(line)?.[0] ?? '';
}

/** Names this machine and nothing more: a new one does when it is damaged. */
async function daemonId(stateDir: string): Promise<string> {
  const path = idPath(stateDir);
  try {
    return decodeCheckedText(await readFile(path, 'latin1')).trim();
  } catch {
    const id = newId(systemRandom);
    await writeFileAtomic(path, encodeCheckedText(`${id}\n`));
    return id;
  }
}

function idPath(stateDir: string): string {
  return join(stateDir, 'daemon-id');
}
