import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { VERSION } from '../../swarmctl/version.ts';
import { type Case, testCases } from './cases.ts';
import { run } from './run.ts';

const info = {
  ID: 'id',
  Name: 'manager',
  Containers: 3,
  ContainersRunning: 1,
  ContainersPaused: 0,
  ContainersStopped: 2,
  Images: 4,
  ServerVersion: '28.2.2',
  Driver: 'overlayfs',
  DriverStatus: [['driver-type', 'x']],
  LoggingDriver: 'json-file',
  CgroupDriver: 'systemd',
  CgroupVersion: '2',
  Plugins: { Volume: ['local'], Network: ['bridge', 'overlay'], Authorization: null },
  Swarm: {
    NodeID: 'node1',
    NodeAddr: '10.0.0.1',
    LocalNodeState: 'active',
    ControlAvailable: true,
    Error: '',
    RemoteManagers: [
      { NodeID: 'node2', Addr: '10.0.0.2:2377' },
      { NodeID: 'node1', Addr: '10.0.0.1:2377' },
    ],
    Nodes: 3,
    Managers: 2,
    Warnings: ['WARNING: two managers'],
    Cluster: {
      ID: 'cluster',
      DefaultAddrPool: ['10.0.0.0/8'],
      SubnetSize: 24,
      DataPathPort: 4789,
      RootRotationInProgress: false,
      Spec: {
        Orchestration: { TaskHistoryRetentionLimit: 5 },
        Raft: {
          SnapshotInterval: 10_000,
          KeepOldSnapshots: 0,
          HeartbeatTick: 1,
          ElectionTick: 10,
        },
        Dispatcher: { HeartbeatPeriod: 5e9 },
        CAConfig: { NodeCertExpiry: 7_776e12 },
        EncryptionConfig: { AutoLockManagers: false },
      },
    },
  },
  Runtimes: { runc: {} },
  DefaultRuntime: 'runc',
  InitBinary: '',
  ContainerdCommit: { ID: '1.6' },
  RuncCommit: { ID: '1.1' },
  SecurityOptions: ['name=seccomp,profile=builtin'],
  KernelVersion: '6.1',
  OperatingSystem: 'Debian',
  OSType: 'linux',
  Architecture: 'x86_64',
  NCPU: 2,
  MemTotal: 8_191_000_000,
  DockerRootDir: '/var/lib/swarm',
  Debug: false,
  Labels: ['zone=a'],
  ExperimentalBuild: false,
  RegistryConfig: { InsecureRegistryCIDRs: ['127.0.0.0/8'] },
  LiveRestoreEnabled: true,
};

const SWARM_PART = ` Swarm: active
  NodeID: node1
  Is Manager: true
  ClusterID: cluster
  Managers: 2
  Nodes: 3
  Default Address Pool: 10.0.0.0/8
  SubnetSize: 24
  Data Path Port: 4789
  Orchestration:
   Task History Retention Limit: 5
  Raft:
   Snapshot Interval: 10000
   Number of Old Snapshots to Retain: 0
   Heartbeat Tick: 1
   Election Tick: 10
  Dispatcher:
   Heartbeat Period: 5 seconds
  CA Configuration:
   Expiry Duration: 3 months
   Force Rotate: 0
  Autolock Managers: false
  Root Rotation In Progress: false
  Node Address: 10.0.0.1
  Manager Addresses:
   10.0.0.1:2377
   10.0.0.2:2377
 Runtimes: runc
`;

const inactive = { ...info, Swarm: { ...info.Swarm, LocalNodeState: 'inactive', Warnings: null } };
const event = {
  Type: 'container',
  Action: 'start',
  Actor: { ID: 'c1', Attributes: { name: 'web', image: 'nginx' } },
  time: 1,
  timeNano: 1_000_250_000,
};

const cases: readonly Case[] = [
  {
    args: ['info'],
    routes: { 'GET /info': { json: info } },
    stdout: new RegExp(
      `^Client:[\\s\\S]*\\n Images: 4\\n[\\s\\S]*${SWARM_PART}[\\s\\S]*seccomp\\n   Profile: builtin`,
    ),
    stderr: 'WARNING: two managers\n',
  },
  {
    args: ['system', 'info'],
    routes: { 'GET /info': { json: inactive } },
    stdout: / Swarm: inactive\n Runtimes: runc\n[\s\S]* Total Memory: 7\.628GiB\n/,
  },
  {
    args: ['info'],
    routes: {
      'GET /info': {
        json: { ...inactive, Swarm: { ...inactive.Swarm, Error: 'joining a swarm failed: no' } },
      },
    },
    stdout: / Swarm: inactive\n {2}Error: joining a swarm failed: no\n Runtimes: runc\n/,
  },
  {
    args: ['info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}'],
    routes: { 'GET /info': { json: info } },
    stdout: 'active true\n',
  },
  {
    args: ['info', '-f', '{{json .Plugins.Volume}}'],
    routes: { 'GET /info': { json: info } },
    stdout: '["local"]\n',
  },
  {
    args: ['version', '-f', '{{.Server.Version}} {{.Client.Version}}'],
    routes: { 'GET /version': { json: { Version: '28.2.2' } } },
    stdout: `28.2.2 ${VERSION}\n`,
  },
  {
    args: ['version'],
    routes: { 'GET /version': { status: 500, json: { message: 'broken' } } },
    code: 1,
    stdout: /^Client:\n Version: +\d/,
    stderr: 'Error response from daemon: broken\n',
  },
  {
    args: ['events', '-f', 'type=container', '--since', '1', '--until', '2024-01-01T00:00:00Z'],
    routes: { 'GET /events': { body: `${JSON.stringify(event)}\n` } },
    asked: ['GET /events?since=1&until=1704067200.000000000&filters={"type":{"container":true}}'],
    stdout: '1970-01-01T00:00:01.000250000Z container start c1 (image=nginx, name=web)\n',
  },
  {
    args: ['system', 'events', '--format', 'json'],
    routes: { 'GET /events': { body: JSON.stringify(event) } },
    stdout: `${JSON.stringify(event)}\n`,
  },
  {
    args: ['events', '--format', '{{.Actor.Attributes.name}} {{.Action}}'],
    routes: { 'GET /events': { body: `${JSON.stringify(event)}\n${JSON.stringify(event)}\n` } },
    stdout: ['web start', 'web start'],
  },
  {
    args: ['system', 'df'],
    routes: {
      'GET /system/df': {
        json: {
          LayersSize: 10_000_000,
          Images: [
            { Size: 6_000_000, Containers: 1 },
            { Size: 4_000_000, Containers: 0 },
          ],
          Containers: [
            { State: 'running', SizeRw: 5 },
            { State: 'exited', SizeRw: 15 },
          ],
          Volumes: [{ UsageData: { RefCount: 0, Size: -1 } }],
        },
      },
    },
    stdout: [
      'TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE',
      'Images          2         1         10MB      4MB (40%)',
      'Containers      2         1         20B       15B (75%)',
      'Local Volumes   1         0         0B        0B',
    ],
  },
];

testCases('the node itself', cases);

test('the version is the package’s', () => {
  assert.equal(VERSION, JSON.parse(readFileSync('package.json', 'utf8')).version);
});

test('no daemon: what was tried, and how to name another', async () => {
  const result = await run(undefined, ['-H', 'unix:///nonexistent.sock', 'ps']);
  assert.equal(result.code, 1);
  assert.match(
    result.stderr,
    /^Cannot connect to swarmd at unix:\/\/\/nonexistent\.sock: there is/,
  );
  const refused = await run(undefined, ['--host=tcp://127.0.0.1:1', 'ps']);
  assert.match(
    refused.stderr,
    /^Cannot connect to swarmd at tcp:\/\/127\.0\.0\.1:1: nobody listens/,
  );
  const wrong = await run(undefined, ['-H', 'nonsense', 'ps']);
  assert.equal(wrong.stderr, 'nonsense is not a host: use unix:///path or tcp://host:port\n');
  const fromEnv = await run(undefined, ['ps'], { env: { SWARM_HOST: 'unix:///other.sock' } });
  assert.match(fromEnv.stderr, /unix:\/\/\/other\.sock/);
});

testCases('inspect', [
  {
    args: ['inspect', '-f', '{{.Kind}}', 'a', 'b', 'c'],
    routes: {
      'GET /containers/a/json': { json: { Kind: 'container' } },
      'GET /networks/b': { json: { Kind: 'network' } },
      'GET /info': { json: { Swarm: { ControlAvailable: true } } },
      'GET /nodes/c': { json: { Kind: 'node' } },
    },
    stdout: ['container', 'network', 'node'],
  },
  {
    args: ['inspect', 'nope'],
    routes: { 'GET /info': { json: { Swarm: { ControlAvailable: false } } } },
    asked: [
      'GET /containers/nope/json',
      'GET /images/nope/json',
      'GET /networks/nope',
      'GET /volumes/nope',
      'GET /info',
    ],
    code: 1,
    stdout: '[]\n',
    stderr: 'Error: No such object: nope\n',
  },
  {
    args: ['inspect', '--type', 'service', 'nope'],
    asked: ['GET /services/nope'],
    code: 1,
    stdout: '[]\n',
    stderr: 'Error: No such service: nope\n',
  },
  { args: ['inspect', '--type', 'planet', 'x'], code: 125, stderr: /container, image, network/ },
  {
    args: ['container', 'inspect', '--format', 'json', '-s', 'a'],
    routes: { 'GET /containers/a/json': { json: { Id: 'x' } } },
    asked: ['GET /containers/a/json?size=1'],
    stdout: '{"Id":"x"}\n',
  },
  {
    args: ['inspect', 'a'],
    routes: { 'GET /containers/a/json': { status: 500, json: { message: 'broken' } } },
    code: 1,
    stdout: '[]\n',
    stderr: 'Error response from daemon: broken\n',
  },
]);

testCases('how it is used', [
  {
    args: ['bogus'],
    code: 1,
    stderr: /^error: unknown command 'bogus'[\s\S]*\nUsage: {2}swarmctl \[options\] \[command\]\n/,
  },
  {
    args: ['service', 'create'],
    code: 1,
    stderr: /missing required argument 'image'[\s\S]*Usage: {2}swarmctl service create \[options\]/,
  },
  {
    args: ['network', 'ls', '--bogus'],
    code: 125,
    stderr:
      /unknown option '--bogus'[\s\S]*Run 'swarmctl network ls --help' for more information\n$/,
  },
  { args: ['rename', 'a', 'b', 'c'], code: 1, stderr: /too many arguments for 'rename'/ },
  { args: ['logs', '--tail'], code: 125, stderr: /option '-n, --tail <lines>' argument missing/ },
  { args: ['run', '--help'], stdout: /^Usage: swarmctl run \[options\] <image> \[command\.\.\.\]/ },
]);
