import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Question } from 'dns-packet';
import { resolveQuestion } from '../../../netdriver/resolver/answer.ts';
import { buildNameTable } from '../../../netdriver/resolver/name-table.ts';
import { namedEndpoints, slotOf } from '../../../netdriver/resolver/named-endpoints.ts';
import { GossipPort } from '../../../proto/gen/swarm/gossip.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { endpointRow } from '../support/rows.ts';

const web = { serviceId: 's1', serviceName: 'web', virtualIp: '10.0.1.2', aliases: ['www'] };
const rows = [
  endpointRow({ ...web, name: 'web.1.t1', endpointIp: '10.0.1.3', containerId: 'a'.repeat(64) }),
  endpointRow({ ...web, name: 'web.2.t2', endpointIp: '10.0.1.4', containerId: 'b'.repeat(64) }),
  endpointRow({
    ...web,
    name: 'web.3.t3',
    endpointIp: '10.0.1.5',
    containerId: 'c'.repeat(64),
    serviceDisabled: true,
  }),
  endpointRow({
    serviceId: 's2',
    serviceName: 'db',
    name: 'db.1.t4',
    endpointIp: '10.0.1.6',
    containerId: 'd'.repeat(64),
  }),
  endpointRow({
    name: 'tool',
    endpointIp: '10.0.1.7',
    containerId: 'e'.repeat(64),
    hostname: 'workbench',
    taskAliases: ['hammer'],
  }),
  endpointRow({ name: 'back-endpoint', endpointIp: '10.0.1.254' }),
];
const ingress = [
  endpointRow({
    containerId: 'a'.repeat(64),
    ingressPorts: [GossipPort.fromPartial({ name: 'http', targetPort: 8080, publishedPort: 80 })],
  }),
];
const overlay = buildNameTable('back', namedEndpoints(rows, ingress));
const local = buildNameTable('own.net', [
  { ip: '172.18.0.2', names: ['tool', 'only-local'] },
  { ip: '172.18.0.3', names: ['pair'] },
  { ip: '172.18.0.4', names: ['pair'] },
]);

function ask(name: string, type: Question['type'] = 'A', keepSingleLabels = false) {
  const result = resolveQuestion(
    { name, type, class: 'IN' },
    { tables: [overlay, local], random: seededRandom(1), keepSingleLabels },
  );
  if (result.kind === 'forward') return 'forward';
  const data = result.answers.map((answer) => ('data' in answer ? answer.data : undefined));
  return data.every((entry) => typeof entry === 'string') ? data.sort() : data;
}

describe('answers of a container’s resolver', () => {
  test('a service is its virtual address, or all of its tasks without one', () => {
    assert.deepEqual(ask('web'), ['10.0.1.2']);
    assert.deepEqual(ask('WWW.'), ['10.0.1.2']);
    assert.deepEqual(ask('db'), ['10.0.1.6']);
  });

  test('tasks are found together and one by one, without those that drain', () => {
    assert.deepEqual(ask('tasks.web'), ['10.0.1.3', '10.0.1.4']);
    assert.deepEqual(ask('tasks.www'), ['10.0.1.3', '10.0.1.4']);
    assert.deepEqual(ask('2.web'), ['10.0.1.4']);
    assert.deepEqual(ask('3.web'), []);
    assert.deepEqual(ask('web.3.t3'), ['10.0.1.5']);
  });

  test('containers have their name, aliases, short id and hostname', () => {
    for (const name of ['tool', 'hammer', 'workbench', 'e'.repeat(12)]) {
      assert.deepEqual(ask(name), ['10.0.1.7'], name);
    }
  });

  test('the name of a network may follow, and picks the network', () => {
    assert.deepEqual(ask('web.back'), ['10.0.1.2']);
    assert.deepEqual(ask('tool.own.net'), ['172.18.0.2']);
    assert.deepEqual(ask('tasks.web.back'), ['10.0.1.3', '10.0.1.4']);
    assert.deepEqual(ask('web.own.net'), 'forward');
  });

  test('of two networks that know a name the overlay wins', () => {
    assert.deepEqual(ask('tool'), ['10.0.1.7']);
    assert.deepEqual(ask('only-local'), ['172.18.0.2']);
  });

  test('a name that several share has all addresses', () => {
    assert.deepEqual(ask('pair'), ['172.18.0.3', '172.18.0.4']);
  });

  test('a known name has nothing of other types, and nobody else is asked', () => {
    for (const type of ['AAAA', 'MX', 'TXT', 'SRV'] as const)
      assert.deepEqual(ask('web', type), []);
  });

  test('addresses have names', () => {
    assert.deepEqual(ask('3.1.0.10.in-addr.arpa', 'PTR'), ['web.1.t1.back']);
    assert.deepEqual(ask('2.1.0.10.in-addr.arpa', 'PTR'), ['web.back']);
    assert.deepEqual(ask('2.0.18.172.in-addr.arpa', 'PTR'), ['tool.own.net']);
    assert.equal(ask('8.8.8.8.in-addr.arpa', 'PTR'), 'forward');
  });

  test('services have records for ports, named or numbered', () => {
    const of = (target: string, port: number) => ({ priority: 0, weight: 1, port, target });
    assert.deepEqual(ask('_http._tcp.web', 'SRV'), [of('web.1.t1.back', 8080)]);
    assert.deepEqual(ask('_6379._tcp.db.back', 'SRV'), [of('db.1.t4.back', 6379)]);
    assert.deepEqual(ask('_nope._tcp.web', 'SRV'), []);
    assert.equal(ask('_http._tcp.elsewhere', 'SRV'), 'forward');
  });

  test('everything else is asked of others, single labels only when they may be', () => {
    assert.equal(ask('example.com'), 'forward');
    assert.equal(ask('unknown'), 'forward');
    assert.deepEqual(ask('unknown', 'A', true), []);
    assert.equal(ask('example.com', 'A', true), 'forward');
  });

  test('a balancer’s own endpoint has no name', () => {
    assert.equal(ask('back-endpoint'), 'forward');
  });

  test('the slot is the middle of a task’s name', () => {
    assert.equal(slotOf('my.web.3.abc', 'my.web'), '3');
    assert.equal(slotOf('web.node1.abc', 'web'), 'node1');
    assert.equal(slotOf('other.1.abc', 'web'), '');
    assert.equal(slotOf('web', 'web'), '');
  });
});
