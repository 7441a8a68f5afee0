import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostConfig } from '../../../worker/engine/types.ts';
import { capabilities } from '../../../worker/runtime/oci/capabilities.ts';
import { bindMount, orderMounts } from '../../../worker/runtime/oci/mounts.ts';
import { resources } from '../../../worker/runtime/oci/resources.ts';
import {
  buildExecProcess,
  buildSpec,
  INIT_PATH,
  mergeEnv,
  type SpecInput,
} from '../../../worker/runtime/oci/spec.ts';
import { resolveUser } from '../../../worker/runtime/oci/user.ts';
import { signalName, signalNumber } from '../../../worker/runtime/signals.ts';

const FEATURES = { lastCap: 40, cgroupVersion: 1, swapAccounting: true, seccomp: true } as const;

function input(hostConfig: HostConfig = {}, more: Partial<SpecInput> = {}): SpecInput {
  return {
    id: 'f'.repeat(64),
    config: { Image: 'x', Cmd: ['sh'] },
    hostConfig,
    hostname: 'box',
    user: { uid: 0, gid: 0, additionalGids: [0] },
    mounts: [],
    devices: [],
    netnsPath: '/run/netns/x',
    cgroupParent: '/swarm',
    features: FEATURES,
    ...more,
  };
}

describe('the runtime specification', () => {
  it('isolates a container by default', () => {
    const spec = buildSpec(input());
    assert.deepEqual(
      new Set(spec.linux.namespaces.map(({ type }) => type)),
      new Set(['pid', 'ipc', 'uts', 'mount', 'network']),
    );
    assert.equal(
      spec.linux.namespaces.find(({ type }) => type === 'network')?.path,
      '/run/netns/x',
    );
    assert.equal(spec.linux.cgroupsPath, `/swarm/${'f'.repeat(64)}`);
    assert.deepEqual(spec.linux.resources.devices, [{ allow: false, access: 'rwm' }]);
    assert.ok(spec.linux.maskedPaths.includes('/proc/kcore'));
    assert.ok(spec.linux.readonlyPaths.includes('/proc/sys'));
    assert.ok(
      spec.mounts.find(({ destination }) => destination === '/sys')?.options.includes('ro'),
    );
    assert.equal(spec.linux.seccomp?.defaultAction, 'SCMP_ACT_ALLOW');
    assert.ok(spec.linux.seccomp?.syscalls[0]?.names.includes('mount'));
    assert.ok(!spec.process.capabilities.bounding.includes('CAP_SYS_ADMIN'));
    assert.deepEqual(spec.process.env.slice(1), ['HOSTNAME=box']);
  });

  it('shares the host’s network when there is no namespace', () => {
    const types = buildSpec(input({}, { netnsPath: '' })).linux.namespaces.map(({ type }) => type);
    assert.ok(!types.includes('network'));
  });

  it('has a cgroup namespace where the hierarchy is unified', () => {
    const types = (host: HostConfig, cgroupVersion: 1 | 2) =>
      buildSpec(input(host, { features: { ...FEATURES, cgroupVersion } })).linux.namespaces.map(
        ({ type }) => type,
      );
    assert.ok(types({}, 2).includes('cgroup'));
    assert.ok(!types({ CgroupnsMode: 'host' }, 2).includes('cgroup'));
    assert.ok(types({ CgroupnsMode: 'private' }, 1).includes('cgroup'));
  });

  it('opens everything to a privileged container', () => {
    const device = {
      path: '/dev/x',
      type: 'c' as const,
      major: 1,
      minor: 2,
      fileMode: 0o600,
      uid: 0,
      gid: 0,
    };
    const devices = [{ device, access: 'rwm' }];
    const spec = buildSpec(input({ Privileged: true }, { devices }));
    assert.deepEqual(spec.linux.resources.devices, [{ allow: true, access: 'rwm' }]);
    assert.deepEqual(spec.linux.devices, [device]);
    assert.deepEqual(spec.linux.maskedPaths, []);
    assert.equal(spec.linux.seccomp, undefined);
    assert.equal(spec.process.capabilities.effective.length, 41);
  });

  it('gives users other than root no capabilities to begin with', () => {
    const { capabilities: sets } = buildSpec(
      input({}, { user: { uid: 1000, gid: 1000, additionalGids: [1000] } }),
    ).process;
    assert.deepEqual([sets.effective, sets.permitted, sets.inheritable], [[], [], []]);
    assert.ok(sets.bounding.length > 0);
  });

  it('puts an init before the command', () => {
    const spec = buildSpec(
      input({ Init: true }, { config: { Image: 'x', Entrypoint: ['run'], Cmd: ['-v'] } }),
    );
    assert.deepEqual(spec.process.args, [INIT_PATH, '--', 'run', '-v']);
  });

  it('takes a seccomp profile, or none', () => {
    const own = JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] });
    const of = (host: HostConfig, more: Partial<SpecInput> = {}) =>
      buildSpec(input(host, more)).linux.seccomp;
    assert.equal(of({ SecurityOpt: ['seccomp=unconfined'] }), undefined);
    assert.equal(of({}, { seccompProfile: own })?.defaultAction, 'SCMP_ACT_ERRNO');
    assert.throws(() => of({}, { seccompProfile: '{}' }), /Decoding seccomp profile failed/);
    const refused = of({ CapAdd: ['SYS_ADMIN'] })?.syscalls.flatMap(({ names }) => names);
    assert.ok(!refused?.includes('mount') && refused?.includes('reboot'));
  });

  it('makes further processes like the first, with their own user and variables', () => {
    const container = buildSpec(input({}, { config: { Image: 'x', Cmd: ['sh'], Env: ['A=1'] } }));
    const exec = {
      args: ['id'],
      env: ['A=2', 'B=3'],
      cwd: '',
      user: { uid: 5, gid: 5, additionalGids: [5] },
      terminal: true,
      privileged: false,
      lastCap: 40,
    };
    const process = buildExecProcess(container, exec);
    assert.deepEqual(process.env.slice(1), ['HOSTNAME=box', 'A=2', 'TERM=xterm', 'B=3']);
    assert.equal(process.cwd, '/');
    assert.deepEqual(process.capabilities.effective, []);
    const root = { ...exec, user: { uid: 0, gid: 0, additionalGids: [] }, privileged: true };
    assert.equal(buildExecProcess(container, root).capabilities.effective.length, 41);
  });
});

describe('capabilities', () => {
  const of = (add: string[], drop: string[], lastCap = 40) =>
    capabilities({ add, drop, privileged: false, lastCap });

  it('are added and dropped by any spelling of their names', () => {
    assert.deepEqual(of(['net_admin'], ['ALL']), ['CAP_NET_ADMIN']);
    assert.equal(of(['ALL'], ['CAP_SYS_ADMIN']).length, 40);
    assert.ok(!of([], ['chown']).includes('CAP_CHOWN'));
    assert.equal(of([], []).length, 14);
    assert.throws(() => of(['FLY'], []), /invalid capability: "FLY"/);
  });

  it('end where the kernel’s do', () => {
    assert.equal(of(['ALL'], [], 37).length, 38);
    assert.throws(() => of(['BPF'], [], 37), /invalid capability/);
  });
});

describe('resources', () => {
  const of = (host: HostConfig, swapAccounting = true) => resources(host, [], { swapAccounting });

  it('are set only when asked for', () => {
    assert.deepEqual(Object.keys(of({})), ['devices']);
  });

  it('turn processors into quota and period', () => {
    assert.deepEqual(of({ NanoCpus: 1.5e9 }).cpu, { quota: 150_000, period: 100_000 });
    assert.deepEqual(of({ CpuShares: 512, CpusetCpus: '0' }).cpu, { shares: 512, cpus: '0' });
  });

  it('allow as much swap as memory, where swap is counted', () => {
    assert.deepEqual(of({ Memory: 1000 }).memory, { limit: 1000, swap: 2000 });
    assert.deepEqual(of({ Memory: 1000, MemorySwap: -1 }).memory, { limit: 1000, swap: -1 });
    assert.deepEqual(of({ Memory: 1000 }, false).memory, { limit: 1000 });
  });

  it('limit processes, but not to zero', () => {
    assert.deepEqual(of({ PidsLimit: 100 }).pids, { limit: 100 });
    assert.equal(of({ PidsLimit: 0 }).pids, undefined);
    assert.equal(of({ PidsLimit: -1 }).pids, undefined);
  });
});

describe('mounts', () => {
  it('come parents first, and the user’s instead of the system’s', () => {
    const system = [bindMount('/s', '/dev/shm', {}), bindMount('/s', '/proc', {})];
    const user = [
      bindMount('/1', '/a/b', {}),
      bindMount('/2', '/dev/shm', {}),
      bindMount('/3', '/a', {}),
      bindMount('/4', '/a', { readOnly: true }),
    ];
    assert.deepEqual(
      orderMounts(system, user).map(({ source, destination }) => [source, destination]),
      [
        ['/s', '/proc'],
        ['/4', '/a'],
        ['/1', '/a/b'],
        ['/2', '/dev/shm'],
      ],
    );
  });
});

describe('users', () => {
  const files = {
    passwd: 'root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\nbroken\n',
    group: 'root:x:0:\napp:x:1001:\nwheel:x:10:root,app\nlog:x:20:\n',
  };
  const cases: [string, string[], number, number, number[]][] = [
    ['', [], 0, 0, [0, 10]],
    ['app', [], 1000, 1001, [1001, 10]],
    ['1000', [], 1000, 1001, [1001, 10]],
    ['app:log', [], 1000, 20, [20]],
    ['4242', [], 4242, 0, [0]],
    ['4242:4343', [], 4242, 4343, [4343]],
    ['app', ['log', '77'], 1000, 1001, [1001, 10, 20, 77]],
  ];
  for (const [user, extra, uid, gid, additionalGids] of cases) {
    it(`resolves ${JSON.stringify(user)} with ${extra.length} groups more`, () => {
      assert.deepEqual(resolveUser(user, extra, files), { uid, gid, additionalGids });
    });
  }

  it('names what it does not find', () => {
    assert.throws(() => resolveUser('nobody', [], files), /unable to find user nobody/);
    assert.throws(() => resolveUser('app:none', [], files), /unable to find group none/);
  });
});

describe('the environment', () => {
  it('is overridden by name, in place', () => {
    assert.deepEqual(mergeEnv(['A=1', 'B=2'], ['A=3', 'C=4', 'B']), ['A=3', 'C=4']);
  });
});

describe('signals', () => {
  it('are known by name, number and distance', () => {
    for (const text of ['SIGTERM', 'term', '15']) assert.equal(signalNumber(text), 15);
    assert.equal(signalNumber('SIGRTMIN+3'), 37);
    assert.equal(signalNumber('RTMAX-1'), 63);
    assert.throws(() => signalNumber('NOPE'), /invalid signal: NOPE/);
    assert.throws(() => signalNumber('99'), /invalid signal/);
    assert.equal(signalName(9), 'SIGKILL');
  });
});
