import { join } from 'node:path';

/** Where a private containerd keeps what. `rootDir` survives a reboot, `runDir` need not. */
export interface ContainerdPaths {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly configFile: string;
  readonly logFile: string;
}

export function containerdPaths(rootDir: string, runDir: string): ContainerdPaths {
  return {
    root: join(rootDir, 'containerd'),
    state: join(runDir, 'containerd'),
    socket: join(runDir, 'containerd.sock'),
    pidFile: join(runDir, 'containerd.pid'),
    configFile: join(runDir, 'containerd.toml'),
    logFile: join(rootDir, 'containerd.log'),
  };
}

/**
 * Plugins that nobody here uses: each costs start-up time or memory, touches a path of its own, or
 * (the cgroups monitor) work at every task start. Names that a version does not know are harmless.
 */
const DISABLED_PLUGINS = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.cri.v1.images',
  'io.containerd.cri.v1.runtime',
  'io.containerd.podsandbox.controller.v1.podsandbox',
  'io.containerd.nri.v1.nri',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.restart',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.monitor.v1.cgroups',
  'io.containerd.monitor.task.v1.cgroups',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.native',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.snapshotter.v1.blockfile',
];

/** The configuration file of a private containerd. */
export function containerdConfig(paths: ContainerdPaths): string {
  const quoted = (text: string) => JSON.stringify(text);
  return [
    'version = 2',
    `root = ${quoted(paths.root)}`,
    `state = ${quoted(paths.state)}`,
    `disabled_plugins = [${DISABLED_PLUGINS.map(quoted).join(', ')}]`,
    '[grpc]',
    `  address = ${quoted(paths.socket)}`,
    '[ttrpc]',
    `  address = ${quoted(`${paths.socket}.ttrpc`)}`,
    '[debug]',
    '  level = "warn"',
    '',
  ].join('\n');
}
