import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { backendChanges } from '../../../netdriver/balancer/load-balancer.ts';
import { planBalancer } from '../../../netdriver/balancer/plan.ts';
import { GossipPort } from '../../../proto/gen/swarm/gossip.ts';
import { endpointRow } from '../support/rows.ts';

const init = {
  address: '10.0.1.9',
  scheduler: 'rr',
  mtu: 1450,
  ingress: false,
  hideClients: false,
} as const;
const onIngress = { ...init, ingress: true };
const port = (init: Parameters<typeof GossipPort.fromPartial>[0]) => GossipPort.fromPartial(init);
const task = (ip: number, more: object = {}) =>
  endpointRow({ serviceId: 'web', virtualIp: '10.0.1.2', endpointIp: `10.0.1.${ip}`, ...more });

describe('the plan of a balancer', () => {
  test('a service has the tasks that claim its address; draining ones have no weight', () => {
    const rows = [
      task(4),
      task(3, { serviceDisabled: true }),
      endpointRow({ endpointIp: '10.0.1.7' }),
    ];
    assert.deepEqual(planBalancer(rows, init).services, [
      {
        vip: '10.0.1.2',
        backends: [
          { ip: '10.0.1.3', weight: 0 },
          { ip: '10.0.1.4', weight: 1 },
        ],
      },
    ]);
  });

  test('without a virtual address there is nothing to balance', () => {
    assert.deepEqual(planBalancer([task(3, { virtualIp: '' })], init).services, []);
  });

  test('an address that was given to another task belongs to the later row', () => {
    const rows = [task(3), task(3, { serviceId: 'db', virtualIp: '10.0.1.5' })];
    assert.deepEqual(
      planBalancer(rows, init).services.map(({ vip }) => vip),
      ['10.0.1.5'],
    );
  });

  test('on ingress, a port leads to every generation of a service that publishes it', () => {
    const old = [port({ publishedPort: 80, targetPort: 80 })];
    const next = [
      port({ publishedPort: 80, targetPort: 8080 }),
      port({ publishedPort: 53, targetPort: 53, protocol: 1 }),
      port({ targetPort: 99 }),
    ];
    const rows = [task(3, { ingressPorts: old }), task(4, { ingressPorts: next })];
    const ports = planBalancer(rows, onIngress).ports;
    assert.deepEqual(
      ports.map(({ protocol, port, backends }) => [protocol, port, backends.map((b) => b.ip)]),
      [
        ['udp', 53, ['10.0.1.4']],
        ['tcp', 80, ['10.0.1.3', '10.0.1.4']],
      ],
    );
  });

  test('a port hides clients when all want it, or when there are too many nodes', () => {
    const hidden = [port({ publishedPort: 80, targetPort: 80, snat: true })];
    const open = [port({ publishedPort: 80, targetPort: 80 })];
    const snatOf = (rows: ReturnType<typeof task>[], hideClients = false) =>
      planBalancer(rows, { ...onIngress, hideClients }).ports[0]?.snat;
    assert.equal(snatOf([task(3, { ingressPorts: hidden })]), true);
    assert.equal(
      snatOf([task(3, { ingressPorts: hidden }), task(4, { ingressPorts: open })]),
      false,
    );
    assert.equal(snatOf([task(3, { ingressPorts: open })], true), true);
  });

  test('the order of the rows does not matter', () => {
    const rows = [task(3), task(4), task(5, { serviceDisabled: true }), task(4, { virtualIp: '' })];
    const expected = planBalancer(rows, init);
    fc.assert(
      fc.property(fc.shuffledSubarray(rows, { minLength: rows.length }), (shuffled) => {
        assert.deepEqual(planBalancer(shuffled, init), expected);
      }),
    );
  });

  test('flows are forgotten of backends that left, and of UDP of those that drain', () => {
    const before = planBalancer([task(3), task(4), task(5)], init);
    const after = planBalancer([task(4, { serviceDisabled: true }), task(5), task(6)], init);
    assert.deepEqual(backendChanges(before, after), { gone: ['10.0.1.3'], drained: ['10.0.1.4'] });
    assert.deepEqual(backendChanges(after, after), { gone: [], drained: [] });
  });
});
