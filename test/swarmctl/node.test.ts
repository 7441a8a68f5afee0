import { testCases } from './cases.ts';
import { node, routes } from './swarm-fixture.ts';

/** A node that got a certificate and never registered. */
const stranger = {
  ...node('n9', ''),
  Description: { Platform: {}, Resources: {}, Engine: {} },
  CreatedAt: '2026-11-22T01:02:03Z',
  Status: { State: 'unknown', Addr: '' },
};

testCases('nodes', [
  {
    args: ['node', 'ls', '--format', '{{.ID}} {{.Status}} "{{.Hostname}}" "{{.EngineVersion}}"'],
    routes: { ...routes, 'GET /nodes': { json: [node('n1', 'host2'), stranger] } },
    stdout: ['n9 Unknown "" ""', 'n1 Ready "host2" "28.2.2"'],
  },
  {
    args: ['node', 'inspect', '--pretty', 'n9'],
    routes: { ...routes, 'GET /nodes/n9': { json: stranger } },
    stdout: /^ID:\t\t\tn9\n((?!undefined)[\s\S])*\nHostname: +\t\n((?!undefined)[\s\S])*$/,
  },
  {
    args: ['node', 'ls', '--format', '{{.Hostname}} {{.TLSStatus}}'],
    routes: {
      'GET /info': {
        json: { Swarm: { NodeID: 'n1', Cluster: { TLSInfo: { TrustRoot: 'b' } } } },
      },
      'GET /nodes': {
        json: ['a', 'b', undefined].map((TrustRoot, i) => {
          const one = node(`n${i}`, `host${i}`);
          return { ...one, Description: { ...one.Description, TLSInfo: { TrustRoot } } };
        }),
      },
    },
    stdout: ['host0 Needs Rotation', 'host1 Ready', 'host2 Unknown'],
  },
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
