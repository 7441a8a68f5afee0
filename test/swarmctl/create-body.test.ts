import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FakeEngine } from './fake-engine.ts';
import { run } from './run.ts';

type Body = Record<string, unknown> & {
  HostConfig: Record<string, unknown>;
  NetworkingConfig: { EndpointsConfig: Record<string, unknown> };
};

const dir = mkdtempSync(join(tmpdir(), 'create-'));
let engine: FakeEngine;

before(async () => {
  engine = await FakeEngine.start();
  writeFileSync(join(dir, 'env'), '# comment\n\nFILE=1\n  PADDED=2\nOWN\nGONE\nBOTH=file\n');
  writeFileSync(join(dir, 'labels'), 'from=file\nbare\n');
  writeFileSync(join(dir, 'seccomp.json'), '{\n "defaultAction": "SCMP_ACT_ALLOW"\n}\n');
  writeFileSync(join(dir, 'bad env'), 'TWO WORDS=1\n');
});
after(async () => {
  await engine.stop();
  rmSync(dir, { recursive: true });
});

/** The body that `create OPTIONS alpine` sends. */
async function bodyOf(...options: string[]): Promise<Body> {
  engine.serve({ 'POST /containers/create': { status: 201, json: { Id: 'c'.repeat(64) } } });
  const result = await run(engine, ['create', ...options, 'alpine'], {
    env: { OWN: 'mine', HOME: '/root' },
  });
  assert.equal(result.stderr, '');
  return engine.sent('POST /containers/create') as Body;
}

test('without options', async () => {
  assert.deepEqual(await bodyOf(), {
    Image: 'alpine',
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: [],
    Cmd: null,
    Labels: {},
    ExposedPorts: {},
    Volumes: {},
    HostConfig: {
      NetworkMode: 'default',
      PortBindings: {},
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      AutoRemove: false,
    },
    NetworkingConfig: { EndpointsConfig: {} },
  });
});

describe('options of the container', () => {
  const cases: readonly [string[], Record<string, unknown>][] = [
    [['-i'], { OpenStdin: true, StdinOnce: true, AttachStdin: true }],
    [['-t'], { Tty: true }],
    [
      ['-a', 'STDERR', '-i'],
      { AttachStdin: false, AttachStdout: false, AttachStderr: true, StdinOnce: false },
    ],
    [['-e', 'A=b', '-e', 'A=c', '--env', 'EMPTY='], { Env: ['A=c', 'EMPTY='] }],
    [['-e', 'OWN', '-e', 'GONE'], { Env: ['OWN=mine'] }],
    [
      ['--env-file', join(dir, 'env'), '-e', 'BOTH=flag'],
      { Env: ['FILE=1', 'PADDED=2', 'OWN=mine', 'BOTH=flag'] },
    ],
    [
      ['-l', 'a=b', '--label', 'c', '--label-file', join(dir, 'labels')],
      { Labels: { from: 'file', bare: '', a: 'b', c: '' } },
    ],
    [['-h', 'host', '--domainname', 'd'], { Hostname: 'host', Domainname: 'd' }],
    [['-u', '1:2', '-w', '/srv'], { User: '1:2', WorkingDir: '/srv' }],
    [['--entrypoint', 'sh'], { Entrypoint: ['sh'] }],
    [['--entrypoint', ''], { Entrypoint: [''] }],
    [['--stop-signal', 'INT', '--stop-timeout', '3'], { StopSignal: 'INT', StopTimeout: 3 }],
    [['-v', '/data'], { Volumes: { '/data': {} } }],
    [['--expose', '7000-7001', '--expose', '53/udp'], ports('7000/tcp', '7001/tcp', '53/udp')],
    [['--no-healthcheck'], { Healthcheck: { Test: ['NONE'] } }],
    [
      ['--health-cmd', 'true', '--health-interval', '1m30s', '--health-retries', '2'],
      { Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 90e9, Retries: 2 } },
    ],
  ];
  for (const [options, expected] of cases) {
    test(options.join(' ').replaceAll(dir, ''), async () => {
      const body = await bodyOf(...options);
      const found = Object.fromEntries(Object.keys(expected).map((key) => [key, body[key]]));
      assert.deepEqual(found, expected);
    });
  }
});

function ports(...names: string[]) {
  return { ExposedPorts: Object.fromEntries(names.map((name) => [name, {}])) };
}

describe('options of its host', () => {
  const cases: readonly [string[], Record<string, unknown>][] = [
    [
      ['-p', '8080:80', '-p', '127.0.0.1:53:53/udp', '-p', '[::1]::443'],
      {
        PortBindings: {
          '80/tcp': [{ HostIp: '', HostPort: '8080' }],
          '53/udp': [{ HostIp: '127.0.0.1', HostPort: '53' }],
          '443/tcp': [{ HostIp: '::1', HostPort: '' }],
        },
      },
    ],
    [
      ['-p', '80', '-p', '8080:80'],
      {
        PortBindings: {
          '80/tcp': [
            { HostIp: '', HostPort: '' },
            { HostIp: '', HostPort: '8080' },
          ],
        },
      },
    ],
    [['-P'], { PublishAllPorts: true }],
    [['--restart', 'on-failure:3'], restart('on-failure', 3)],
    [['--restart', 'unless-stopped'], restart('unless-stopped', 0)],
    [['--rm'], { AutoRemove: true }],
    [['-v', '/a:/b:ro', '-v', 'vol:/c'], { Binds: ['/a:/b:ro', 'vol:/c'] }],
    [['-v', './x:/b'], { Binds: [`${process.cwd()}/x:/b`] }],
    [
      ['--mount', 'type=tmpfs,target=/t,tmpfs-size=1m'],
      { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1_048_576 } }] },
    ],
    [['--tmpfs', '/t', '--tmpfs', '/u:size=1m,ro'], { Tmpfs: { '/t': '', '/u': 'size=1m,ro' } }],
    [['--cap-add', 'NET_ADMIN', '--cap-drop', 'ALL'], { CapAdd: ['NET_ADMIN'], CapDrop: ['ALL'] }],
    [['--privileged', '--read-only', '--init'], flags('Privileged', 'ReadonlyRootfs', 'Init')],
    [['-m', '64m', '--cpus', '0.5'], { Memory: 67_108_864, NanoCpus: 500_000_000 }],
    [['--memory-swap', '-1', '--pids-limit', '-1'], { MemorySwap: -1, PidsLimit: -1 }],
    [['--shm-size', '1g', '-c', '512'], { ShmSize: 1_073_741_824, CpuShares: 512 }],
    [
      ['--ulimit', 'nofile=1024:2048', '--ulimit', 'core=0'],
      {
        Ulimits: [
          { Name: 'nofile', Soft: 1024, Hard: 2048 },
          { Name: 'core', Soft: 0, Hard: 0 },
        ],
      },
    ],
    [['--sysctl', 'net.ipv4.ip_forward=1'], { Sysctls: { 'net.ipv4.ip_forward': '1' } }],
    [
      ['--dns', '1.1.1.1', '--dns-search', 'a.b', '--dns-option', 'ndots:1'],
      { Dns: ['1.1.1.1'], DnsSearch: ['a.b'], DnsOptions: ['ndots:1'] },
    ],
    [
      ['--add-host', 'db:10.0.0.1', '--add-host', 'six=[::1]'],
      { ExtraHosts: ['db:10.0.0.1', 'six:::1'] },
    ],
    [
      ['--log-driver', 'json-file', '--log-opt', 'max-size=1m'],
      { LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } } },
    ],
    [
      ['--device', '/dev/fuse', '--device', '/dev/a:/dev/b:r'],
      { Devices: [device('/dev/fuse', '/dev/fuse', 'rwm'), device('/dev/a', '/dev/b', 'r')] },
    ],
    [
      ['--security-opt', 'no-new-privileges', '--security-opt', 'seccomp=unconfined'],
      { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] },
    ],
    [
      ['--security-opt', `seccomp=${join(dir, 'seccomp.json')}`],
      { SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] },
    ],
    [['--group-add', 'audio'], { GroupAdd: ['audio'] }],
  ];
  for (const [options, expected] of cases) {
    test(options.join(' ').replaceAll(dir, ''), async () => {
      const { HostConfig } = await bodyOf(...options);
      const found = Object.fromEntries(Object.keys(expected).map((key) => [key, HostConfig[key]]));
      assert.deepEqual(found, expected);
    });
  }
});

function restart(Name: string, MaximumRetryCount: number) {
  return { RestartPolicy: { Name, MaximumRetryCount } };
}

function device(PathOnHost: string, PathInContainer: string, CgroupPermissions: string) {
  return { PathOnHost, PathInContainer, CgroupPermissions };
}

function flags(...names: string[]) {
  return Object.fromEntries(names.map((name) => [name, true]));
}

describe('networks', () => {
  const cases: readonly [string[], string, Record<string, unknown>][] = [
    [['--network', 'net'], 'net', { net: {} }],
    [
      ['--network', 'net', '--network-alias', 'a', '--network-alias', 'b', '--ip', '10.0.0.7'],
      'net',
      { net: { Aliases: ['a', 'b'], IPAMConfig: { IPv4Address: '10.0.0.7' } } },
    ],
    [
      ['--network', 'name=net,alias=a,alias=b,ip=10.0.0.7,driver-opt=k=v'],
      'net',
      {
        net: {
          Aliases: ['a', 'b'],
          IPAMConfig: { IPv4Address: '10.0.0.7' },
          DriverOpts: { k: 'v' },
        },
      },
    ],
    [
      ['--network', 'one', '--network', 'name=two,alias=x', '--network-alias', 'a'],
      'one',
      { one: { Aliases: ['a'] }, two: { Aliases: ['x'] } },
    ],
    [['--network', 'host'], 'host', { host: {} }],
    [['--mac-address', '02:42:ac:11:00:02'], 'default', mac('02:42:ac:11:00:02')],
  ];
  for (const [options, mode, endpoints] of cases) {
    test(options.join(' '), async () => {
      const { HostConfig, NetworkingConfig } = await bodyOf(...options);
      assert.equal(HostConfig['NetworkMode'], mode);
      assert.deepEqual(NetworkingConfig.EndpointsConfig, endpoints);
    });
  }
});

function mac(MacAddress: string) {
  return { default: { MacAddress } };
}

describe('what is refused, with 125 and a reason', () => {
  const cases: readonly [string[], RegExp][] = [
    [['-p', '70000'], /invalid containerPort: 70000/],
    [['-p', '70000:80'], /invalid hostPort: 70000/],
    [['-p', 'x:80:80'], /invalid IP address: x/],
    [['-p', '80-81:90-92'], /invalid ranges/],
    [['-p', '80/foo'], /invalid proto: foo/],
    [['--restart', 'sometimes'], /is not no, always, unless-stopped or on-failure/],
    [['--restart', 'always:3'], /is not no, always/],
    [['-m', 'lots'], /"lots" is not a size such as 64m/],
    [['--cpus', 'many'], /"many" is not a number/],
    [['--cpus', '1', '--cpu-quota', '5'], /conflicting options: --cpus and --cpu-quota/],
    [['-v', 'a:b:c:d'], /use \[SOURCE:\]TARGET\[:OPTIONS\]/],
    [['--device', 'fuse'], /use HOST\[:CONTAINER\]/],
    [['--add-host', 'db'], /use HOST:IP/],
    [['-a', 'stdfoo'], /Valid streams are STDIN, STDOUT and STDERR/],
    [['--pull', 'sometimes'], /always, missing, never/],
    [['--ulimit', 'nofile'], /use NAME=SOFT/],
    [['--mount', 'type=bind'], /target is required/],
    [['--network', 'a', '--network', 'a'], /network "a" is specified multiple times/],
    [['--network', 'name=a,ip=1.2.3.4', '--ip', '1.2.3.5'], /conflicting options: an IP address/],
    [['--no-healthcheck', '--health-cmd', 'x'], /--no-healthcheck conflicts/],
    [['--log-driver', 'none', '--log-opt', 'a=b'], /invalid logging opts for driver none/],
    [['--env-file', '/nonexistent'], /cannot read --env-file \/nonexistent/],
    [['--env-file', join(dir, 'bad env')], /invalid environment variable: TWO WORDS/],
    [['--security-opt', 'seccomp=/nonexistent'], /opening seccomp profile/],
    [['--bogus'], /unknown option '--bogus'[\s\S]*Usage: {2}swarmctl run \[options\] <image>/],
  ];
  for (const [options, reason] of cases) {
    test(options.join(' ').replaceAll(dir, ''), async () => {
      engine.serve({});
      const result = await run(engine, ['run', '-d', ...options, 'alpine']);
      assert.match(result.stderr, reason);
      assert.equal(result.code, 125);
      assert.deepEqual(engine.asked, []);
    });
  }
});
