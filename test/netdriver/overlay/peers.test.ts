import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { LinkOp } from '../../../netdriver/kernel/types.ts';
import {
  NO_PEERS,
  type PeerRow,
  type PeerState,
  peerOps,
  peerStateOf,
  planPeers,
  unionOf,
} from '../../../netdriver/overlay/peers.ts';

const network = {
  subnets: [
    { subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4097 },
    { subnet: '10.0.2.0/24', gateway: '10.0.2.1', vni: 4098 },
  ],
};

const rows = fc.array(
  fc.record({
    owner: fc.constantFrom('self', 'a', 'b', 'c'),
    ltime: fc.integer({ min: 1, max: 20 }),
    ip: fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2, max: 9 }))
      .map(([net, host]) => `10.0.${net}.${host}/24`),
    mac: fc.constantFrom('02:42:00:00:00:01', '02:42:00:00:00:02', '02:42:00:00:00:03'),
    vtep: fc.constantFrom('192.168.1.1', '192.168.1.2', '192.168.1.3'),
  }),
  { maxLength: 14 },
);

const local = { nodeId: 'self', addresses: new Set(['10.0.1.2']) };

/** The device as the kernel keeps it: one entry per address, one per hardware address. */
class Device {
  readonly neighbours = new Map<string, string>();
  readonly fdb = new Map<string, string>();

  apply(ops: readonly LinkOp[]): void {
    for (const op of ops) {
      if (op.op === 'set-neighbour') this.neighbours.set(`${op.dev} ${op.ip}`, op.mac);
      else if (op.op === 'del-neighbour') assert.ok(this.neighbours.delete(`${op.dev} ${op.ip}`));
      else if (op.op === 'set-fdb') this.fdb.set(`${op.dev} ${op.mac}`, op.vtep);
      else if (op.op === 'del-fdb') assert.ok(this.fdb.delete(`${op.dev} ${op.mac}`));
      else assert.fail(`unexpected ${op.op}`);
    }
  }

  state(): PeerState {
    const entries = (map: Map<string, string>) => [...map].map((entry) => entry.join(' '));
    return { neighbours: new Set(entries(this.neighbours)), fdb: new Set(entries(this.fdb)) };
  }
}

describe('peers of an overlay', () => {
  test('the operations lead from any state to any other', () => {
    fc.assert(
      fc.property(fc.array(rows, { maxLength: 4 }), (steps) => {
        const device = new Device();
        let state = NO_PEERS;
        for (const step of steps) {
          const next = planPeers(network, step, local);
          device.apply(peerOps(state, next));
          assert.deepEqual(device.state(), next);
          state = next;
        }
      }),
    );
  });

  test('the order of the rows does not matter', () => {
    fc.assert(
      fc.property(rows, (some) => {
        const distinct = [...new Map(some.map((r) => [`${r.ltime} ${r.owner}`, r])).values()];
        const reversed = planPeers(network, [...distinct].reverse(), local);
        assert.deepEqual(planPeers(network, distinct, local), reversed);
      }),
    );
  });

  const row = (init: Partial<PeerRow>): PeerRow => ({
    owner: 'a',
    ltime: 1,
    ip: '10.0.1.9/24',
    mac: '02:42:0a:00:01:09',
    vtep: '192.168.1.1',
    ...init,
  });

  test('an address that moved is where it was written last', () => {
    const moved = [row({}), row({ owner: 'b', ltime: 7, vtep: '192.168.1.2' })];
    for (const order of [moved, [...moved].reverse()]) {
      assert.deepEqual(planPeers(network, order, local), {
        neighbours: new Set(['vxlan0 10.0.1.9 02:42:0a:00:01:09']),
        fdb: new Set(['vxlan0 02:42:0a:00:01:09 192.168.1.2']),
      });
    }
  });

  test('a move replaces the entry in place', () => {
    const before = planPeers(network, [row({})], local);
    const after = planPeers(network, [row({ ltime: 2, vtep: '192.168.1.2' })], local);
    assert.deepEqual(peerOps(before, after), [
      { op: 'set-fdb', dev: 'vxlan0', mac: '02:42:0a:00:01:09', vtep: '192.168.1.2' },
    ]);
  });

  test('own rows, own addresses and foreign subnets are left out', () => {
    const none = [row({ owner: 'self' }), row({ ip: '10.0.1.2/24' }), row({ ip: '10.9.9.9/24' })];
    assert.deepEqual(planPeers(network, none, local), NO_PEERS);
  });

  test('each subnet has its own device', () => {
    const { neighbours } = planPeers(network, [row({ ip: '10.0.2.7/24' })], local);
    assert.deepEqual([...neighbours], ['vxlan1 10.0.2.7 02:42:0a:00:01:09']);
  });

  test('what a device holds reads back as the same state', () => {
    const planned = planPeers(network, [row({})], local);
    const entries = {
      neighbours: [{ ip: '10.0.1.9', mac: '02:42:0a:00:01:09' }],
      fdb: [{ mac: '02:42:0a:00:01:09', vtep: '192.168.1.1' }],
    };
    assert.deepEqual(unionOf([peerStateOf('vxlan0', entries)]), planned);
  });
});
