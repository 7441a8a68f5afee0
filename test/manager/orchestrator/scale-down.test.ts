import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Plan } from '../../../manager/orchestrator/plan.ts';
import { slotsToKeep } from '../../../manager/orchestrator/scale-down.ts';
import { Node, Service, Task } from '../../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { replicated } from './specs.ts';

/** `layout` is one task per entry, in slots from 1: its node, and its state if it does not run. */
function kept(
  layout: readonly string[],
  keep: number,
  zones: Record<string, string> = {},
): string[] {
  const preferences = [
    { preference: { $case: 'spread' as const, spread: { spreadDescriptor: 'node.labels.zone' } } },
  ];
  const spec = replicated(
    keep,
    {},
    Object.keys(zones).length > 0 ? { placement: { preferences } } : {},
  );
  const service = Service.fromPartial({ id: 's', spec });
  const tasks = layout.map((entry, i) => {
    const [nodeId = '', state = 'RUNNING'] = entry.split(':');
    return Task.fromPartial({
      id: `t${i + 1}`,
      slot: i + 1,
      nodeId,
      status: { state: TaskState[state as keyof typeof TaskState] as TaskState },
      desiredState: TaskState.RUNNING,
    });
  });
  const node = (id: string) =>
    Node.fromPartial({ id, spec: { annotations: { labels: { zone: zones[id] ?? '' } } } });
  const plan = new Plan({
    service,
    tasks,
    cluster: undefined,
    node,
    nodes: () => [],
    now: 0,
    random: seededRandom(1),
  });
  return [...slotsToKeep(plan, plan.slots, keep)].map(
    (slot) => `${slot}@${layout[Number(slot) - 1]}`,
  );
}

test('the node with the most tasks gives first, and of its tasks the youngest', () => {
  assert.deepEqual(kept(['a', 'a', 'a', 'b'], 2), ['1@a', '4@b']);
  assert.deepEqual(kept(['a', 'b', 'c', 'a', 'b', 'c'], 3), ['1@a', '2@b', '3@c']);
});

test('what does not run gives before what runs, however full its node', () => {
  assert.deepEqual(kept(['a', 'a', 'b:PREPARING', ':PENDING'], 3), ['1@a', '2@a', '3@b:PREPARING']);
  assert.deepEqual(kept(['a', 'a', 'b:PREPARING', ':PENDING'], 2), ['1@a', '2@a']);
});

test('zones are evened out before nodes', () => {
  const zones = { a: 'east', b: 'east', c: 'east', d: 'west' };
  assert.deepEqual(kept(['a', 'b', 'c', 'd', 'd', 'd'], 4, zones), ['1@a', '2@b', '4@d', '5@d']);
  assert.deepEqual(kept(['a', 'b', 'c', 'd', 'd', 'd'], 2, zones), ['1@a', '4@d']);
});
