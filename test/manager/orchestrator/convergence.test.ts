import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  NodeSpec_Availability as Availability,
  type ServiceSpec,
} from '../../../proto/gen/swarm/specs.ts';
import { NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import { ClusterSim } from './cluster-sim.ts';
import { global, replicated } from './specs.ts';

const NODES = ['n1', 'n2', 'n3', 'n4'];
const SERVICES = ['a', 'b', 'g'];

type Fault =
  | { readonly kind: 'scale'; readonly service: string; readonly replicas: number }
  | { readonly kind: 'image'; readonly service: string; readonly image: string }
  | {
      readonly kind: 'node';
      readonly node: string;
      readonly state: NodeState;
      readonly availability: Availability;
    }
  | { readonly kind: 'fail'; readonly which: number }
  | { readonly kind: 'leader' }
  | { readonly kind: 'wait'; readonly ms: number };

const service = fc.constantFrom(...SERVICES);
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ kind: fc.constant('scale' as const), service, replicas: fc.nat(12) }),
  fc.record({
    kind: fc.constant('image' as const),
    service,
    image: fc.constantFrom('x', 'y', 'bad'),
  }),
  fc.record({
    kind: fc.constant('node' as const),
    node: fc.constantFrom(...NODES),
    state: fc.constantFrom(NodeState.READY, NodeState.DOWN, NodeState.UNKNOWN),
    availability: fc.constantFrom(Availability.ACTIVE, Availability.PAUSE, Availability.DRAIN),
  }),
  fc.record({ kind: fc.constant('fail' as const), which: fc.nat(30) }),
  fc.record({ kind: fc.constant('leader' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
);

function withImage(spec: ServiceSpec, image: string): ServiceSpec {
  const task = spec.task as NonNullable<ServiceSpec['task']>;
  const runtime = task.runtime?.$case === 'container' ? task.runtime.container : undefined;
  assert.ok(runtime);
  return {
    ...spec,
    task: { ...task, runtime: { $case: 'container', container: { ...runtime, image } } },
  };
}

async function inflict(sim: ClusterSim, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case 'scale':
      if (fault.service === 'g') return;
      return sim.updateService(fault.service, (spec) => ({
        ...spec,
        mode: { $case: 'replicated', replicated: { replicas: fault.replicas } },
      }));
    case 'image':
      return sim.updateService(fault.service, (spec) => withImage(spec, fault.image));
    case 'node':
      await sim.setNode(fault.node, fault.state, fault.availability);
      sim.replay();
      return;
    case 'fail':
      return failOne(sim, fault.which);
    case 'leader':
      return sim.newLeader();
    case 'wait':
      return sim.run(fault.ms);
  }
}

async function failOne(sim: ClusterSim, which: number): Promise<void> {
  const running = SERVICES.flatMap((id) => sim.tasks(id)).filter(
    ({ status }) => status?.state === TaskState.RUNNING,
  );
  const victim = running[which % Math.max(1, running.length)];
  if (!victim?.status) return;
  const status = { ...victim.status, state: TaskState.FAILED };
  await sim.store.update((tx) => {
    const task = tx.get('task', victim.id);
    if (task) tx.update('task', { ...task, status });
  });
}

/** No slot has two tasks that are meant to run, except while one replaces the other. */
function assertOnePerSlot(sim: ClusterSim, id: string): void {
  const slots = new Map<string, number>();
  for (const task of sim.tasks(id)) {
    if (task.desiredState > TaskState.RUNNING) continue;
    const key = task.slot ? `${task.slot}` : task.nodeId;
    slots.set(key, (slots.get(key) ?? 0) + 1);
  }
  for (const [key, count] of slots) assert.equal(count, 1, `service ${id}, slot ${key}`);
}

test('whatever happened, once it stops every service has exactly its tasks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { maxLength: 25 }), fc.nat(1), async (faults, order) => {
      const sim = await ClusterSim.start(NODES);
      sim.behaviours['bad'] = { start: { state: TaskState.FAILED, afterMs: 100 } };
      const update = { parallelism: 1, monitor: { seconds: 1 }, order };
      const restart = { condition: 2, delay: { seconds: 2 } };
      await sim.create('a', replicated(5, { update, annotations: { name: 'a' } }, { restart }));
      await sim.create(
        'b',
        replicated(
          2,
          { update: { ...update, failureAction: 2 }, annotations: { name: 'b' } },
          { restart },
        ),
      );
      await sim.create('g', global({ update, annotations: { name: 'g' } }, { restart }));
      for (const item of faults) await inflict(sim, item);

      for (const id of NODES) await sim.setNode(id, NodeState.READY);
      for (const id of SERVICES) await sim.updateService(id, (spec) => withImage(spec, 'good'));
      sim.replay();
      const wanted = (id: string) => {
        const mode = sim.service(id).spec?.mode;
        return mode?.$case === 'replicated' ? mode.replicated.replicas : NODES.length;
      };
      await sim.until(() => SERVICES.every((id) => sim.running(id).length === wanted(id)), 300_000);
      await sim.run(120_000);
      for (const id of SERVICES) {
        assert.equal(sim.running(id).length, wanted(id), `service ${id}`);
        assertOnePerSlot(sim, id);
        const live = sim.tasks(id).filter(({ status }) => status?.state === TaskState.RUNNING);
        assert.equal(live.length, wanted(id), `containers of ${id} that should not run`);
      }
      for (const { taskId, from, to } of sim.transitions)
        assert.ok(to > from, `${taskId} went back`);
      await sim.stop();
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('deciding twice on the same state decides nothing new', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.create('a', replicated(6));
  await sim.until(() => sim.running('a').length === 6);
  const { appliedIndex } = sim.store;
  await sim.newLeader();
  await sim.newLeader();
  assert.equal(sim.store.appliedIndex, appliedIndex);
  await sim.stop();
});
