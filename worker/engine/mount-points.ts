import { spawn } from 'node:child_process';
import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SwarmError } from '../../common/errors.ts';
import type { Mount } from '../../proto/gen/containerd/types.ts';
import { layersOf, withMounted } from '../runtime/rootfs.ts';
import type { MountRequest } from './mounts.ts';
import type { MountPoint } from './record.ts';
import type { UndoStack } from './undo.ts';
import type { Volumes } from './volumes.ts';

/** Makes the volumes that `requests` name, and checks or makes the directories of binds. */
export async function makeMountPoints(
  requests: readonly MountRequest[],
  volumes: Volumes,
  undo: UndoStack,
): Promise<MountPoint[]> {
  const points: MountPoint[] = [];
  for (const request of requests) {
    if (request.type === 'volume') points.push(await volumePoint(request, volumes, undo));
    else {
      if (request.type === 'bind') await checkBindSource(request);
      points.push(pointOf(request, { source: request.source }));
    }
  }
  return points;
}

/**
 * The first container that mounts an empty volume fills it with what the image has at that place,
 * as Docker does. `rootfs` is the container's own.
 */
export async function copyImageContent(
  requests: readonly MountRequest[],
  points: readonly MountPoint[],
  init: { rootfs: readonly Mount[]; volumes: Volumes; mountDir: string },
): Promise<void> {
  const wanted: MountPoint[] = [];
  for (const [index, point] of points.entries()) {
    if (point.type !== 'volume' || requests[index]?.noCopy || requests[index]?.subpath) continue;
    if (!(await init.volumes.isEmpty(point.name))) continue;
    if (await existsInLayers(init.rootfs, point.destination)) wanted.push(point);
  }
  if (wanted.length === 0) return;
  await withMounted(init.rootfs, init.mountDir, async (root) => {
    for (const { destination, source } of wanted) {
      const stats = await lstat(join(root, destination)).catch(() => undefined);
      // A link could lead out of the image.
      if (stats?.isDirectory()) await copyTree(join(root, destination), source);
    }
  });
}

async function volumePoint(
  request: MountRequest,
  volumes: Volumes,
  undo: UndoStack,
): Promise<MountPoint> {
  const existed = volumes.list().some(({ name }) => name === request.source);
  const volume = await volumes.create({
    ...(request.source ? { name: request.source } : {}),
    ...(request.driver ? { driver: request.driver } : {}),
    labels: { ...request.labels },
    options: { ...request.driverOptions },
  });
  if (!existed) undo.push(() => volumes.remove(volume.name, true));
  const source = join(volume.mountpoint, request.subpath);
  if (request.subpath && !(await lstat(source).catch(() => undefined))) {
    const message = `invalid mount config: subpath ${request.subpath} of volume ${volume.name} does not exist`;
    throw new SwarmError('SWM_INVALID_ARGUMENT', message);
  }
  return pointOf(request, {
    name: volume.name,
    source,
    driver: volume.driver,
    anonymous: request.source === '',
  });
}

function pointOf(request: MountRequest, parts: Partial<MountPoint>): MountPoint {
  return {
    type: request.type,
    name: '',
    source: '',
    destination: request.target,
    driver: '',
    mode: request.mode,
    readWrite: !request.readOnly,
    propagation: request.propagation || (request.type === 'bind' ? 'rprivate' : ''),
    nonRecursive: request.nonRecursive,
    tmpfsOptions: request.tmpfsOptions,
    anonymous: false,
    ...parts,
  };
}

async function checkBindSource({ source, createSource }: MountRequest): Promise<void> {
  if (await lstat(source).catch(() => undefined)) return;
  if (createSource) return void (await mkdir(source, { recursive: true }));
  const message = `invalid mount config for type "bind": bind source path does not exist: ${source}`;
  throw new SwarmError('SWM_INVALID_ARGUMENT', message);
}

async function existsInLayers(rootfs: readonly Mount[], path: string): Promise<boolean> {
  for (const layer of layersOf(rootfs)) {
    if (await lstat(join(layer, path)).catch(() => undefined)) return true;
  }
  return false;
}

/** With owners, modes, links and extended attributes, which Node's own copy leaves out. */
function copyTree(from: string, to: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('cp', ['-a', `${from}/.`, to], { stdio: ['ignore', 'ignore', 'pipe'] });
    let problem = '';
    child.stderr.on('data', (chunk: Buffer) => {
      problem += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      reject(new SwarmError('SWM_INTERNAL', `failed to copy ${from} to ${to}: ${problem.trim()}`));
    });
  });
}
