import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matches, parseConstraints } from '../../../manager/scheduler/constraint.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { node } from './objects.ts';

const host = node('n1', {
  role: NodeRole.MANAGER,
  status: { addr: '192.168.1.7' },
  spec: { annotations: { labels: { zone: 'A', Rack: '7' } } },
  description: {
    hostname: 'Host-1',
    platform: { os: 'linux', architecture: 'x86_64' },
    engine: { labels: { storage: 'ssd' } },
  },
});
const ok = (...expressions: string[]) => matches(parseConstraints(expressions), host);

test('each key is compared as a whole, without regard to case', () => {
  for (const expression of [
    'node.id==n1',
    'node.id != n2',
    'node.hostname==host-1',
    'NODE.HOSTNAME==HOST-1',
    'node.role==manager',
    'node.role!=worker',
    'node.platform.os==Linux',
    'node.platform.arch==x86_64',
    'node.labels.zone==a',
    'node.labels.Rack==7',
    'engine.labels.storage==SSD',
    'node.ip==192.168.1.7',
    'node.ip==192.168.0.0/16',
    'node.ip!=10.0.0.0/8',
  ]) {
    assert.ok(ok(expression), expression);
  }
  for (const expression of [
    'node.hostname==host',
    'node.hostname==host*',
    'node.platform.arch==amd64',
    'node.labels.rack==7',
    'node.ip==192.168.1.0/30',
  ]) {
    assert.ok(!ok(expression), expression);
  }
});

test('what is missing is empty, what is unknown or malformed matches nothing', () => {
  assert.ok(!ok('node.labels.none==a'));
  assert.ok(ok('node.labels.none!=a'));
  for (const key of ['node.color', 'node.labels', 'nodelabels.zone']) {
    assert.ok(!ok(`${key}==x`) && !ok(`${key}!=x`), key);
  }
  assert.ok(!ok('node.ip==300.1.1.1') && !ok('node.ip!=300.1.1.1'));
  assert.ok(!ok('node.ip!=10.0.0.0/99'));
});

test('several constraints must all hold', () => {
  assert.ok(ok('node.role==manager', 'node.labels.zone==a'));
  assert.ok(!ok('node.role==manager', 'node.labels.zone==b'));
  assert.ok(ok());
});

test('what is no constraint is refused', () => {
  const refused = (expression: string, message: string) =>
    assert.throws(() => parseConstraints([expression]), { code: 'SWM_INVALID_ARGUMENT', message });
  refused('node.role', 'constraint expected one operator from ==, !=');
  refused('node.role=manager', 'constraint expected one operator from ==, !=');
  refused('n==a', "key 'n' is invalid");
  refused('1node==a', "key '1node' is invalid");
  refused('node.role==', "value '' is invalid");
  refused('node.role==a,b', "value 'a,b' is invalid");
});
