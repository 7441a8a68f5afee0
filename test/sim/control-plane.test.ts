import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Service } from '../../proto/gen/swarm/objects.ts';
import {
  NodeSpec_Availability as Availability,
  type ServiceSpec,
} from '../../proto/gen/swarm/specs.ts';
import { NodeState } from '../../proto/gen/swarm/types.ts';
import { ControlPlane } from './control-plane.ts';

function service(id: string, replicas: number, fields: object = {}): Service {
  return Service.fromPartial({
    id,
    specVersion: { index: 0 },
    spec: {
      annotations: { name: id },
      mode: { $case: 'replicated', replicated: { replicas } },
      task: {
        runtime: { $case: 'container', container: { image: 'busybox' } },
        restart: { condition: 2, delay: { seconds: 1 } },
      },
      ...fields,
    },
  });
}

async function create(plane: ControlPlane, object: Service): Promise<void> {
  await plane.store.update((tx) => tx.create('service', object));
}

async function respec(plane: ControlPlane, id: string, change: (spec: ServiceSpec) => ServiceSpec) {
  await plane.store.update((tx) => {
    const old = tx.get('service', id) as Service;
    tx.update('service', {
      ...old,
      spec: change(old.spec as ServiceSpec),
      specVersion: old.meta?.version,
      previousSpec: old.spec,
      previousSpecVersion: old.specVersion,
      updateStatus: undefined,
    });
  });
}

function replicas(count: number) {
  return (spec: ServiceSpec): ServiceSpec => ({
    ...spec,
    mode: { $case: 'replicated', replicated: { replicas: count } },
  });
}

test('10 replicas on 3 nodes run within 1.2 s, most of it the runtime', async () => {
  const plane = await ControlPlane.start(3);
  await create(plane, service('web', 10));
  const took = await plane.until(() => plane.running('web') === 10, 10_000);
  // The busiest node makes 4 containers one after the other: 400 ms of it are not ours.
  assert.ok(took <= 700, `${took} ms`);
  await respec(plane, 'web', replicas(40));
  const more = await plane.until(() => plane.running('web') === 40, 10_000);
  assert.ok(more <= 1_500, `${more} ms`);
  await plane.stop();
});

test('a service that is removed is gone, containers and all', async () => {
  const plane = await ControlPlane.start(3);
  await create(plane, service('web', 6));
  await plane.until(() => plane.running('web') === 6, 10_000);
  await plane.store.update((tx) => tx.remove('service', 'web'));
  await plane.until(() => plane.store.view((tx) => tx.count('task')) === 0, 10_000);
  await plane.until(() => plane.nodes.every(({ engine }) => engine.containers.size === 0), 10_000);
  await plane.stop();
});

test('a daemon that restarts within the grace does not lose a container', async () => {
  const plane = await ControlPlane.start(3);
  await create(plane, service('web', 6));
  await plane.until(() => plane.running('web') === 6, 10_000);
  const [node] = plane.nodes;
  const before = [...(node?.engine.containers.keys() ?? [])];
  if (node) await plane.during(node.stop());
  await plane.run(5_000);
  await node?.start();
  await plane.run(30_000);
  assert.deepEqual([...(node?.engine.containers.keys() ?? [])], before);
  assert.equal(plane.containers('web'), 6);
  await plane.stop();
});

test('a leader that changes moves nothing', async () => {
  const plane = await ControlPlane.start(3);
  await create(plane, service('web', 6));
  await plane.until(() => plane.running('web') === 6, 10_000);
  const made = () => plane.nodes.reduce((sum, { engine }) => sum + engine.created.length, 0);
  await plane.newLeader();
  await plane.run(60_000);
  assert.equal(made(), 6);
  assert.equal(plane.containers('web'), 6);
  await plane.stop();
});

test('the tasks of a host without power run elsewhere, and once', async () => {
  const plane = await ControlPlane.start(3);
  await create(plane, service('web', 6));
  await plane.until(() => plane.running('web') === 6, 10_000);
  await plane.during(plane.nodes[0]!.powerOff());
  const took = await plane.until(() => plane.containers('web') === 6, 60_000);
  assert.ok(took <= 18_000, `${took} ms`);
  plane.nodes[0]?.mendLine();
  await plane.nodes[0]?.start();
  await plane.run(30_000);
  assert.equal(plane.containers('web'), 6);
  await plane.stop();
});

type Fault =
  | { readonly kind: 'scale'; readonly replicas: number }
  | { readonly kind: 'update'; readonly dir: string }
  | {
      readonly kind: 'cut' | 'mend' | 'stop' | 'start' | 'power-off' | 'crash';
      readonly node: number;
    }
  | { readonly kind: 'availability'; readonly node: number; readonly availability: Availability }
  | { readonly kind: 'leader' }
  | { readonly kind: 'wait'; readonly ms: number };

const NODES = 4;
const node = fc.nat(NODES - 1);
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ kind: fc.constant('scale' as const), replicas: fc.nat(9) }),
  fc.record({ kind: fc.constant('update' as const), dir: fc.constantFrom('/a', '/b', '/c') }),
  fc.record({ kind: fc.constantFrom('cut', 'mend', 'stop', 'start', 'power-off', 'crash'), node }),
  fc.record({
    kind: fc.constant('availability' as const),
    node,
    availability: fc.constantFrom(Availability.ACTIVE, Availability.PAUSE, Availability.DRAIN),
  }),
  fc.record({ kind: fc.constant('leader' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 30_000 }) }),
);

async function inflict(plane: ControlPlane, item: Fault): Promise<void> {
  if (item.kind === 'scale') return respec(plane, 'web', replicas(item.replicas));
  if (item.kind === 'update') return respec(plane, 'web', (spec) => inDir(spec, item.dir));
  if (item.kind === 'leader') return plane.newLeader();
  if (item.kind === 'wait') return plane.run(item.ms);
  const host = plane.nodes[item.node];
  if (!host) return;
  switch (item.kind) {
    case 'cut':
      host.cutLine();
      return;
    case 'mend':
      host.mendLine();
      return;
    case 'stop':
      return plane.during(host.stop());
    case 'start':
      return host.start();
    case 'power-off':
      return plane.during(host.powerOff());
    case 'crash':
      return crashOne(host);
    case 'availability':
      return setAvailability(plane, host.id, item.availability);
  }
}

async function crashOne({ engine }: ControlPlane['nodes'][number]): Promise<void> {
  const victim = [...engine.containers.values()].find(({ state }) => state.status === 'running');
  if (victim) engine.exit(victim.taskId, 1);
}

function inDir(spec: ServiceSpec, dir: string): ServiceSpec {
  const task = spec.task as NonNullable<ServiceSpec['task']>;
  const container = task.runtime?.$case === 'container' ? task.runtime.container : undefined;
  assert.ok(container);
  return {
    ...spec,
    task: { ...task, runtime: { $case: 'container', container: { ...container, dir } } },
  };
}

async function setAvailability(plane: ControlPlane, id: string, availability: Availability) {
  await plane.store.update((tx) => {
    const old = tx.get('node', id);
    assert.ok(old?.spec);
    tx.update('node', { ...old, spec: { ...old.spec, availability } });
  });
}

async function heal(plane: ControlPlane): Promise<void> {
  for (const host of plane.nodes) {
    host.mendLine();
    await host.start();
    await setAvailability(plane, host.id, Availability.ACTIVE);
  }
}

test('whatever happened, in the end as many containers run as are wanted, and no other', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault, { maxLength: 20 }),
      fc.integer(),
      fc.nat(1),
      async (faults, seed, order) => {
        const plane = await ControlPlane.start(NODES, seed);
        const update = { parallelism: 2, failureAction: 1, monitor: { seconds: 1 }, order };
        await create(plane, service('web', 5, { update }));
        for (const item of faults) await inflict(plane, item);
        await heal(plane);
        await plane.run(180_000);
        const mode = plane.store.view((tx) => tx.get('service', 'web'))?.spec?.mode;
        const wanted = mode?.$case === 'replicated' ? mode.replicated.replicas : -1;
        assert.equal(plane.running('web'), wanted, 'tasks');
        assert.equal(plane.containers('web'), wanted, 'containers');
        const nodes = plane.store.view((tx) => [...tx.all('node')]);
        assert.ok(nodes.every(({ status }) => status?.state === NodeState.READY));
        await plane.stop();
      },
    ),
    { numRuns: 30, seed: 1 },
  );
});
