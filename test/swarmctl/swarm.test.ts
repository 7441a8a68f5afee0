import { testCases } from './cases.ts';

const swarmSpec = {
  Labels: {},
  Orchestration: { TaskHistoryRetentionLimit: 5 },
  Raft: { ElectionTick: 10, HeartbeatTick: 1 },
  Dispatcher: { HeartbeatPeriod: 5e9 },
  CAConfig: {},
  TaskDefaults: {},
  EncryptionConfig: { AutoLockManagers: false },
};
const swarm = {
  Version: { Index: 9 },
  Spec: swarmSpec,
  JoinTokens: { Worker: 'SWMTKN-w', Manager: 'SWMTKN-m' },
  TLSInfo: { TrustRoot: '-----BEGIN\n' },
};
const node = (ID: string, Hostname: string, more: object = {}) => ({
  ID,
  Version: { Index: 3 },
  Spec: { Labels: { a: 'b' }, Role: 'worker', Availability: 'active' },
  Description: { Hostname, Engine: { EngineVersion: '28.2.2' } },
  Status: { State: 'ready', Addr: '10.0.0.1' },
  ...more,
});
const self = node('n1', 'host2', {
  ManagerStatus: { Leader: true, Reachability: 'reachable', Addr: '10.0.0.1:2377' },
});
const routes = {
  'GET /info': { json: { Swarm: { NodeID: 'n1', ControlAvailable: true } } },
  'GET /nodes': { json: [node('n2', 'host10'), self] },
  'GET /nodes/n1': { json: self },
  'GET /nodes/host10': { json: node('n2', 'host10') },
  'POST /nodes/n2/update': {},
  'GET /swarm': { json: swarm },
  'POST /swarm/update': {},
};
const JOIN = '    swarmctl join --token SWMTKN-w 10.0.0.1:2377';

testCases('the swarm', [
  {
    args: ['init', '--advertise-addr', '10.0.0.1', '--task-history-limit', '2'],
    routes: { ...routes, 'POST /swarm/init': { json: 'n1' } },
    stdout: [
      'Swarm initialized: current node (n1) is now a manager.',
      '',
      'To add a worker to this swarm, run the following command:',
      '',
      JOIN,
      '',
      "To add a manager to this swarm, run 'swarmctl join-token manager' and follow the instructions.",
    ],
    sent: {
      'POST /swarm/init': {
        ListenAddr: '0.0.0.0:2377',
        AdvertiseAddr: '10.0.0.1',
        DataPathAddr: '',
        DataPathPort: 0,
        ForceNewCluster: false,
        AutoLockManagers: false,
        Availability: 'active',
        DefaultAddrPool: [],
        SubnetSize: 24,
        Spec: {
          ...swarmSpec,
          Labels: null,
          Orchestration: { TaskHistoryRetentionLimit: 2 },
          Raft: { ElectionTick: 0, HeartbeatTick: 0 },
          Dispatcher: {},
        },
      },
    },
  },
  {
    args: ['swarm', 'init', '--autolock'],
    routes: {
      ...routes,
      'POST /swarm/init': { json: 'n1' },
      'GET /swarm/unlockkey': { json: { UnlockKey: 'SWMKEY-1-x' } },
    },
    stdout: /To unlock a swarm manager after it restarts[\s\S]*\n {4}SWMKEY-1-x\n/,
  },
  ...(
    [
      [['--autolock'], true],
      [['--autolock=true'], true],
      [['--autolock=false'], false],
      [['--no-autolock'], false],
    ] as const
  ).map(([flags, AutoLockManagers]) => ({
    args: ['swarm', 'update', ...flags],
    routes: { ...routes, 'GET /swarm/unlockkey': { json: { UnlockKey: 'SWMKEY-1-x' } } },
    sent: { 'POST /swarm/update': { ...swarmSpec, EncryptionConfig: { AutoLockManagers } } },
    stdout: AutoLockManagers ? /SWMKEY-1-x[\s\S]*Swarm updated\.\n$/ : 'Swarm updated.\n',
  })),
  {
    args: ['swarm', 'update', '--autolock=perhaps'],
    code: 125,
    stderr: /"perhaps" is not true or/,
  },
  {
    args: ['init'],
    routes: {
      'POST /swarm/init': {
        status: 503,
        json: { message: 'This node is already part of a swarm.' },
      },
    },
    code: 1,
    stderr: 'Error response from daemon: This node is already part of a swarm.\n',
  },
  {
    args: ['join', '--token', 'T', '10.0.0.2:2377'],
    routes: { ...routes, 'POST /swarm/join': {} },
    sent: {
      'POST /swarm/join': {
        ListenAddr: '0.0.0.0:2377',
        AdvertiseAddr: '',
        DataPathAddr: '',
        RemoteAddrs: ['10.0.0.2:2377'],
        JoinToken: 'T',
        Availability: 'active',
      },
    },
    stdout: 'This node joined a swarm as a manager.\n',
  },
  { args: ['join', 'host:1'], code: 1, stderr: /required option '--token <token>'/ },
  { args: ['join-token', '-q', 'manager'], routes, stdout: 'SWMTKN-m\n' },
  {
    args: ['swarm', 'join-token', '--rotate', 'worker'],
    routes,
    stdout: [
      'Successfully rotated worker join token.',
      '',
      'To add a worker to this swarm, run the following command:',
      '',
      JOIN,
    ],
  },
  { args: ['join-token', 'king'], code: 125, stderr: /unknown role king/ },
  {
    args: ['leave', '--force'],
    routes: { 'POST /swarm/leave': {} },
    asked: ['POST /swarm/leave?force=1'],
    stdout: 'Node left the swarm.\n',
  },
  {
    args: ['swarm', 'update', '--dispatcher-heartbeat', '10s'],
    routes,
    asked: ['GET /swarm', 'POST /swarm/update?version=9'],
    sent: { 'POST /swarm/update': { ...swarmSpec, Dispatcher: { HeartbeatPeriod: 10e9 } } },
    stdout: 'Swarm updated.\n',
  },
  { args: ['swarm', 'ca'], routes, stdout: '-----BEGIN\n' },
]);

testCases('nodes', [
  {
    args: ['node', 'ls'],
    routes,
    stdout: [
      'ID        HOSTNAME   STATUS    AVAILABILITY   MANAGER STATUS   ENGINE VERSION',
      'n1 *      host2      Ready     Active         Leader           28.2.2',
      'n2        host10     Ready     Active                          28.2.2',
    ],
  },
  {
    args: ['node', 'ls', '--format', '{{.Hostname}} {{.Self}}', '-f', 'role=manager'],
    routes,
    stdout: ['host2 true', 'host10 false'],
  },
  {
    args: [
      'node',
      'update',
      '--label-add',
      'c=d',
      '--label-rm',
      'a',
      '--role',
      'manager',
      'host10',
    ],
    routes,
    asked: ['GET /nodes/host10', 'POST /nodes/n2/update?version=3'],
    sent: {
      'POST /nodes/n2/update': { Labels: { c: 'd' }, Role: 'manager', Availability: 'active' },
    },
    stdout: 'host10\n',
  },
  {
    args: ['node', 'promote', 'host10'],
    routes,
    stdout: 'Node host10 promoted to a manager in the swarm.\n',
  },
  { args: ['node', 'demote', 'host10'], routes, stdout: 'Node n2 is already a worker.\n' },
  {
    args: ['node', 'rm', '-f', 'host10'],
    routes: { 'DELETE /nodes/host10': {} },
    asked: ['DELETE /nodes/host10?force=1'],
    stdout: 'host10\n',
  },
  { args: ['node', 'inspect', '-f', '{{.ID}}', 'self'], routes, stdout: 'n1\n' },
  {
    args: ['node', 'inspect', 'nope'],
    code: 1,
    stdout: '[]\n',
    stderr: 'Error: no such node: nope\n',
  },
]);

testCases('networks', [
  {
    args: [
      ...['network', 'create', '-d', 'overlay', '--attachable', '--subnet', '10.9.0.0/24'],
      ...['--gateway', '10.9.0.1', '--aux-address', 'r=10.9.0.9', '-o', 'k=v', 'net'],
    ],
    routes: { 'POST /networks/create': { status: 201, json: { Id: 'id', Warning: 'careful' } } },
    sent: {
      'POST /networks/create': {
        Name: 'net',
        Driver: 'overlay',
        Scope: '',
        EnableIPv6: false,
        IPAM: {
          Driver: 'default',
          Options: {},
          Config: [
            { Subnet: '10.9.0.0/24', Gateway: '10.9.0.1', AuxiliaryAddresses: { r: '10.9.0.9' } },
          ],
        },
        Internal: false,
        Attachable: true,
        Ingress: false,
        Options: { k: 'v' },
        Labels: {},
      },
    },
    stdout: 'id\n',
    stderr: 'WARNING: careful\n',
  },
  { args: ['network', 'create', '--gateway', '10.9.0.1', 'x'], code: 1, stderr: /need a --subnet/ },
  {
    args: ['network', 'connect', '--ip', '10.0.0.9', '--alias', 'db', 'net', 'web'],
    routes: { 'POST /networks/net/connect': {} },
    sent: {
      'POST /networks/net/connect': {
        Container: 'web',
        EndpointConfig: {
          IPAMConfig: { IPv4Address: '10.0.0.9' },
          Aliases: ['db'],
          DriverOpts: {},
        },
      },
    },
  },
  {
    args: ['network', 'disconnect', '-f', 'net', 'web'],
    routes: { 'POST /networks/net/disconnect': {} },
    sent: { 'POST /networks/net/disconnect': { Container: 'web', Force: true } },
  },
  {
    args: ['network', 'inspect', 'nope'],
    code: 1,
    stdout: '[]\n',
    stderr: 'Error response from daemon: network nope not found\n',
  },
]);
