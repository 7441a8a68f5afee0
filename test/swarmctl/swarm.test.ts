import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { testCases } from './cases.ts';
import type { Route } from './fake-engine.ts';
import { node, routes, swarm, swarmSpec } from './swarm-fixture.ts';

const JOIN = '    swarmctl join --token SWMTKN-w 10.0.0.1:2377';

const CFSSL = 'protocol=cfssl,url=https://ca/sign';
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const dir = mkdtempSync(join(tmpdir(), 'swarmctl-ca-'));
const rootFile = join(dir, 'root.crt');
writeFileSync(rootFile, PEM);
after(() => rmSync(dir, { recursive: true }));

const withCa = (CAConfig: object) => ({ ...swarm, Spec: { ...swarmSpec, CAConfig } });
const sentCa = (more: object) => ({
  ...swarmSpec,
  CAConfig: { SigningCACert: '', SigningCAKey: '', ...more },
});

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The engine's answers while a root is rotated; an election is in the middle of it. */
function rotationInSteps(): Record<string, Route> {
  const pem = (name: string) => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;
  const tls = (TrustRoot: string, key: string) => ({
    TrustRoot,
    CertIssuerSubject: 'CN',
    CertIssuerPublicKey: key,
  });
  const [old, both, done] = [
    tls(pem('old'), 'k1'),
    tls(pem('old') + pem('new'), 'k2'),
    tls(pem('new'), 'k2'),
  ];
  const steps = [
    { swarm: both, nodes: [old, old], state: 'down' },
    { swarm: both, nodes: [old, old], state: 'down' },
    undefined,
    { swarm: done, nodes: [done, both], state: 'ready' },
    { swarm: done, nodes: [done, done], state: 'ready' },
  ];
  let at = -1;
  const current = () => steps[Math.min(at, steps.length - 1)];
  return {
    'GET /swarm': () => {
      at++;
      const step = current();
      if (!step) return { status: 503, json: { message: 'The swarm does not have a leader.' } };
      const RootRotationInProgress = step.swarm === both;
      return { json: { ...swarm, TLSInfo: step.swarm, RootRotationInProgress } };
    },
    'GET /nodes': () => {
      const { nodes = [], state = '' } = current() ?? {};
      const list = nodes.map((TLSInfo, i) => {
        const one = node(`n${i}`, i === 0 ? 'host2' : 'host10');
        const State = i === 0 ? 'ready' : state;
        return {
          ...one,
          Status: { ...one.Status, State },
          Description: { ...one.Description, TLSInfo },
        };
      });
      return { json: list };
    },
  };
}

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
  { args: ['ca'], routes, stdout: '-----BEGIN\n' },
  {
    args: ['ca', '--cert-expiry', '2h'],
    code: 1,
    stderr: '`--cert-expiry` flag requires the `--rotate` flag to update the CA\n',
  },
  {
    args: ['ca', '--rotate', '--ca-cert', 'root.crt'],
    code: 1,
    stderr: /--ca-cert flag requires that a --ca-key flag and\/or --external-ca flag/,
  },
  {
    args: ['ca', '--rotate', '--ca-key', 'root.key'],
    code: 1,
    stderr: /--ca-key flag requires the --ca-cert flag/,
  },
  {
    args: ['ca', '--rotate', '--detach', '--cert-expiry', '2h'],
    routes: { ...routes, 'GET /swarm': { json: withCa({ ForceRotate: 4 }) } },
    asked: ['GET /swarm', 'POST /swarm/update?version=9'],
    sent: { 'POST /swarm/update': sentCa({ ForceRotate: 5, NodeCertExpiry: 7200e9 }) },
  },
  {
    args: [
      'ca',
      '--rotate',
      '-d',
      '--ca-cert',
      rootFile,
      '--external-ca',
      `${CFSSL},cacert=${rootFile}`,
    ],
    routes,
    sent: {
      'POST /swarm/update': sentCa({
        SigningCACert: PEM,
        ExternalCAs: [{ Protocol: 'cfssl', URL: 'https://ca/sign', Options: {}, CACert: PEM }],
      }),
    },
  },
  {
    args: [
      'swarm',
      'update',
      '--external-ca',
      CFSSL,
      '--external-ca',
      'protocol=CFSSL,url=https://b,label=x',
    ],
    routes,
    sent: {
      'POST /swarm/update': {
        ...swarmSpec,
        CAConfig: {
          ExternalCAs: [
            { Protocol: 'cfssl', URL: 'https://ca/sign', Options: {}, CACert: '' },
            { Protocol: 'cfssl', URL: 'https://b', Options: { label: 'x' }, CACert: '' },
          ],
        },
      },
    },
    stdout: 'Swarm updated.\n',
  },
  ...[
    ['url=https://ca', /needs a protocol= parameter/],
    ['protocol=acme,url=https://ca', /unrecognized external CA protocol acme/],
    ['protocol=cfssl', /needs a url= parameter/],
    ['protocol=cfssl,url', /invalid field 'url' must be a key=value pair/],
  ].map(([flag, stderr]) => ({
    args: ['swarm', 'update', '--external-ca', flag as string],
    code: 125,
    stderr: stderr as RegExp,
  })),
  {
    args: ['ca', '--rotate'],
    routes: { ...routes, ...rotationInSteps() },
    stdout: [
      `desired root digest: sha256:${digestOf('-----BEGIN CERTIFICATE-----\nnew\n-----END CERTIFICATE-----\n')}`,
      '  rotated TLS certificates:  0/2 nodes',
      '  rotated CA certificates:   0/2 nodes',
      '  waiting for nodes that are away: host10 (down)',
      '  rotated TLS certificates:  2/2 nodes',
      '  rotated CA certificates:   1/2 nodes',
      '  rotated CA certificates:   2/2 nodes',
      '-----BEGIN CERTIFICATE-----',
      'new',
      '-----END CERTIFICATE-----',
    ],
  },
]);
