import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NodeInfo } from '../../../manager/scheduler/node-info.ts';
import { schedule } from '../../../manager/scheduler/schedule.ts';
import { NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { counts, infos, labelled, noContext, node, running, waitingMany } from './objects.ts';

const cluster = fc.array(
  fc.record({
    memory: fc.nat(8),
    zone: fc.constantFrom('a', 'b', 'c'),
    active: fc.boolean(),
    foreign: fc.nat(3),
    own: fc.nat(3),
  }),
  { minLength: 1, maxLength: 8 },
);

function build(spec: typeof cluster extends fc.Arbitrary<infer T> ? T : never): NodeInfo[] {
  return spec.map(({ memory, zone, active, foreign, own }, i) => {
    const id = `n${i}`;
    const { ACTIVE, PAUSE } = NodeSpec_Availability;
    const availability = active ? ACTIVE : PAUSE;
    const info = new NodeInfo(
      node(id, {
        spec: { availability, annotations: { labels: { zone } } },
        description: { resources: { memoryBytes: memory } },
      }),
    );
    for (let n = 0; n < foreign; n += 1) info.put(running(`f${i}-${n}`, id, { serviceId: 'f' }));
    for (let n = 0; n < own; n += 1) info.put(running(`o${i}-${n}`, id));
    return info;
  });
}

test('without limits a service ends up within one task of even, from any start', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(40), (size, count) => {
      const nodes = infos(...Array.from({ length: size }, (_, i) => node(`n${i}`)));
      schedule(nodes, waitingMany(count), noContext, 0);
      const found = Object.values(counts(nodes));
      assert.ok(Math.max(...found) - Math.min(...found) <= 1);
      assert.equal(
        found.reduce((a, b) => a + b, 0),
        count,
      );
    }),
  );
});

test('no filter is ever overruled, and a task waits only when every node refuses', () => {
  const zone = fc.constantFrom('a', 'b', 'c');
  fc.assert(
    fc.property(cluster, fc.nat(20), fc.nat(3), zone, (spec, count, maxReplicas, not) => {
      const nodes = build(spec);
      const before = counts(nodes);
      const tasks = waitingMany(count, {
        spec: {
          resources: { reservations: { memoryBytes: 2 } },
          placement: { maxReplicas, constraints: [`node.labels.zone!=${not}`] },
        },
      });
      const { assigned, unassigned, explanation } = schedule(nodes, tasks, noContext, 0);
      assert.equal(assigned.length + unassigned.length, count);
      for (const info of nodes) {
        const given = assigned.filter((one) => one.info === info).length;
        if (given === 0) continue;
        const { availability, annotations } = info.node.spec!;
        assert.equal(availability, NodeSpec_Availability.ACTIVE);
        assert.notEqual(annotations?.labels['zone'], not);
        assert.ok(info.reserved.memoryBytes <= info.node.description!.resources!.memoryBytes);
        assert.equal(info.countOf('s'), (before[info.node.id] ?? 0) + given);
        if (maxReplicas) assert.ok(info.countOf('s') <= maxReplicas);
      }
      assert.equal(explanation === undefined, unassigned.length === 0);
      if (explanation) assert.equal(explanation.rejections.length, nodes.length);
    }),
  );
});

test('branches of a preference differ by one at most, unless one was ahead or is full', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
      fc.nat(40),
      (sizes, count) => {
        const nodes = infos(
          ...sizes.flatMap((size, zone) =>
            Array.from({ length: size }, (_, i) => labelled(`z${zone}-${i}`, { zone: `z${zone}` })),
          ),
        );
        const spread = { spreadDescriptor: 'node.labels.zone' };
        const preferences = [{ preference: { $case: 'spread' as const, spread } }];
        schedule(nodes, waitingMany(count, { spec: { placement: { preferences } } }), noContext, 0);
        const perZone = sizes.map((_, zone) =>
          nodes
            .filter((info) => info.node.spec?.annotations?.labels['zone'] === `z${zone}`)
            .map((info) => info.countOf('s')),
        );
        const totals = perZone.map((zone) => zone.reduce((a, b) => a + b, 0));
        assert.ok(Math.max(...totals) - Math.min(...totals) <= 1);
        for (const zone of perZone) assert.ok(Math.max(...zone) - Math.min(...zone) <= 1);
      },
    ),
  );
});

test('what a node has reserved is what its tasks reserve, whatever comes and goes', () => {
  const change = fc.record({ id: fc.nat(5), memory: fc.nat(9), gone: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const info = new NodeInfo(node('n'));
      const model = new Map<number, number>();
      for (const { id, memory, gone } of changes) {
        const reservations = { memoryBytes: memory };
        if (gone) info.remove(`t${id}`);
        else info.put(running(`t${id}`, 'n', { spec: { resources: { reservations } } }));
        if (gone) model.delete(id);
        else model.set(id, memory);
      }
      const expected = [...model.values()].reduce((a, b) => a + b, 0);
      assert.equal(info.reserved.memoryBytes, expected);
      assert.equal(info.taskCount, model.size);
      assert.equal(info.countOf('s'), model.size);
    }),
  );
});
