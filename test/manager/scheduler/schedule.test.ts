import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultKey } from '../../../manager/scheduler/node-info.ts';
import { confirm, explainTask, schedule } from '../../../manager/scheduler/schedule.ts';
import { Volume } from '../../../proto/gen/swarm/objects.ts';
import { Mount_MountType, NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeState, PortConfig_PublishMode as Publish } from '../../../proto/gen/swarm/types.ts';
import {
  counts,
  infos,
  labelled,
  noContext,
  node,
  running,
  waiting,
  waitingMany,
} from './objects.ts';

const run = (nodes: ReturnType<typeof infos>, tasks: ReturnType<typeof waitingMany>) =>
  schedule(nodes, tasks, noContext, 0);

test('tasks of a service are spread, then the less busy node comes first', () => {
  const nodes = infos(node('a'), node('b'), node('c'));
  nodes[0]!.put(running('x', 'a', { serviceId: 'other' }));
  nodes[1]!.put(running('y', 'b'));
  const { assigned, unassigned } = run(nodes, waitingMany(6));
  assert.equal(unassigned.length, 0);
  assert.equal(assigned[0]?.info.node.id, 'c');
  assert.equal(assigned[1]?.info.node.id, 'a');
  const { a, b, c } = counts(nodes);
  assert.deepEqual([a, b, c].sort(), [2, 2, 3]);
});

test('every filter refuses with what was wanted and what was found', () => {
  const GiB = 2 ** 30;
  const nodes = infos(
    node('down', { status: { state: NodeState.DOWN } }),
    node('drained', { spec: { availability: NodeSpec_Availability.DRAIN } }),
    node('small', { description: { resources: { nanoCpus: 1e9, memoryBytes: GiB } } }),
  );
  const demanding = waiting('t', {
    spec: { resources: { reservations: { nanoCpus: 2e9, memoryBytes: GiB } } },
  });
  const { explanation } = run(nodes, [demanding]);
  assert.deepEqual(explanation, {
    summary:
      'no suitable node (2 nodes not available for new tasks; insufficient resources on 1 node)',
    rejections: [
      { nodeId: 'down', filter: 'Ready', wanted: 'ready and active', had: 'down and active' },
      { nodeId: 'drained', filter: 'Ready', wanted: 'ready and active', had: 'ready and drain' },
      { nodeId: 'small', filter: 'Resource', wanted: '2 CPUs', had: '1 CPUs free' },
    ],
  });
  assert.equal(run([], [demanding]).explanation?.summary, 'no suitable node');
});

test('reservations add up, and end with their task', () => {
  const resources = { nanoCpus: 4e9, memoryBytes: 100 * 2 ** 20 };
  const nodes = infos(node('a', { description: { resources } }));
  const half = { spec: { resources: { reservations: { memoryBytes: 50 * 2 ** 20 } } } };
  const first = run(nodes, waitingMany(3, half));
  assert.equal(first.assigned.length, 2);
  assert.deepEqual(first.explanation?.rejections, [
    { nodeId: 'a', filter: 'Resource', wanted: '50 MiB', had: '0 B free' },
  ]);
  nodes[0]!.remove('t0');
  assert.equal(run(nodes, first.unassigned.slice()).assigned.length, 1);
});

test('generic resources are claimed by name or by amount', () => {
  const gpu = (value: string) => ({
    resource: { $case: 'named' as const, named: { kind: 'gpu', value } },
  });
  const discrete = (kind: string, value: number) => ({
    resource: { $case: 'discrete' as const, discrete: { kind, value } },
  });
  const generic = [gpu('g1'), gpu('g2'), gpu('g3'), discrete('ssd', 3)];
  const nodes = infos(node('a', { description: { resources: { generic } } }));
  const wanted = { generic: [discrete('gpu', 2), discrete('ssd', 1)] };
  const tasks = waitingMany(2, { spec: { resources: { reservations: wanted } } });
  const { assigned, explanation } = run(nodes, tasks);
  assert.deepEqual(assigned[0]?.genericResources, [gpu('g1'), gpu('g2'), discrete('ssd', 1)]);
  assert.deepEqual(explanation?.rejections[0], {
    nodeId: 'a',
    filter: 'Resource',
    wanted: '2 gpu',
    had: '1 gpu free',
  });
});

test('constraints, platforms and plugins', () => {
  const nodes = infos(
    node('a', { description: { platform: { os: 'linux', architecture: 'x86_64' } } }),
    node('b', { description: { platform: { os: 'linux', architecture: 'aarch64' } } }),
    node('c', {
      description: { engine: { plugins: [{ type: 'Volume', name: 'nfs:latest' }] } },
    }),
  );
  const only = (fields: Parameters<typeof waiting>[1]) =>
    run(nodes, [waiting('t', fields)]).assigned.map(({ info }) => info.node.id);
  assert.deepEqual(only({ spec: { placement: { constraints: ['node.id==b'] } } }), ['b']);
  const arm = { platforms: [{ os: 'linux', architecture: 'arm64' }] };
  assert.deepEqual(only({ spec: { placement: arm } }), ['b']);
  const any = { platforms: [{ os: '', architecture: 'amd64' }] };
  assert.deepEqual(only({ spec: { placement: any } }), ['a']);
  const mounts = [
    { type: Mount_MountType.VOLUME, volumeOptions: { driverConfig: { name: 'nfs' } } },
  ];
  const container = { $case: 'container' as const, container: { mounts } };
  assert.deepEqual(only({ spec: { runtime: container } }), ['c']);
  const invalid = run(nodes, [waiting('t', { spec: { placement: { constraints: ['bad'] } } })]);
  assert.equal(
    invalid.explanation?.summary,
    'no suitable node (scheduling constraints not satisfied on 3 nodes)',
  );
  assert.match(invalid.explanation?.rejections[0]?.had ?? '', /expected one operator/);
});

test('one task per node has a host port', () => {
  const nodes = infos(node('a'), node('b'));
  const ports = [{ publishedPort: 80, targetPort: 80, publishMode: Publish.HOST }];
  const result = run(nodes, waitingMany(3, { endpoint: { ports }, slot: 1 }));
  assert.equal(result.assigned.length, 2);
  assert.equal(
    result.explanation?.summary,
    'no suitable node (host-mode port already in use on 2 nodes)',
  );
  assert.deepEqual(result.explanation?.rejections[0], {
    nodeId: 'a',
    filter: 'HostPort',
    wanted: 'host port 80/tcp',
    had: 'in use by task .1.t0',
  });
});

test('max replicas per node', () => {
  const nodes = infos(node('a'), node('b'));
  const result = run(nodes, waitingMany(5, { spec: { placement: { maxReplicas: 2 } } }));
  assert.deepEqual(counts(nodes), { a: 2, b: 2 });
  assert.equal(
    result.explanation?.summary,
    'no suitable node (max replicas per node limit exceed)',
  );
});

test('cluster volumes must all be usable on the node', () => {
  const volume = (id: string, zone: string) =>
    Volume.fromPartial({
      id,
      spec: { driver: { name: 'csi' } },
      volumeInfo: { accessibleTopology: [{ segments: { zone } }] },
    });
  const volumes = [volume('v1', 'x'), volume('v2', 'y')];
  const context = {
    ...noContext,
    volumes: (source: string) => volumes.filter(({ id }) => id === source),
  };
  const inZone = (id: string, zone: string) =>
    node(id, {
      description: {
        csiInfo: [{ pluginName: 'csi', accessibleTopology: { segments: { zone } } }],
      },
    });
  const nodes = infos(inZone('a', 'x'), inZone('b', 'y'), node('c'));
  const using = (...sources: string[]) => {
    const mounts = sources.map((source) => ({ type: Mount_MountType.CLUSTER, source }));
    const spec = { runtime: { $case: 'container' as const, container: { mounts } } };
    return schedule(nodes, [waiting(`t${sources}`, { spec })], context, 0);
  };
  assert.equal(using('v2').assigned[0]?.info.node.id, 'b');
  assert.equal(
    using('v1', 'v2').explanation?.summary,
    'no suitable node (cannot fulfill requested CSI volume mounts on 3 nodes)',
  );
});

test('a full network still takes tasks on the nodes that are on it', () => {
  const net = { id: 'net', spec: { annotations: { name: 'net' } } };
  const nodes = infos(node('a'), node('b', { attachments: [{ network: net }] }));
  const context = { ...noContext, hasFreeAddress: () => false };
  const task = waiting('t', { networks: [{ network: net, addresses: ['10.0.0.9/24'] }] });
  const { assigned } = schedule(nodes, [task], context, 0);
  assert.equal(assigned[0]?.info.node.id, 'b');
  assert.deepEqual(explainTask(nodes, task, context), {
    summary: 'no suitable node (no network address left for 1 node)',
    rejections: [
      {
        nodeId: 'a',
        filter: 'Address',
        wanted: 'an address for the node on network net',
        had: 'all are in use',
      },
    ],
  });
});

test('preferences spread over branches first, each level in turn', () => {
  const nodes = infos(
    labelled('a1', { zone: 'a', rack: '1' }),
    labelled('a2', { zone: 'a', rack: '1' }),
    labelled('a3', { zone: 'a', rack: '2' }),
    labelled('b1', { zone: 'b' }),
    node('none'),
  );
  const spread = (spreadDescriptor: string) => ({
    preference: { $case: 'spread' as const, spread: { spreadDescriptor } },
  });
  const preferences = [spread('node.labels.zone'), spread('node.labels.rack')];
  run(nodes, waitingMany(12, { spec: { placement: { preferences } } }));
  assert.deepEqual(counts(nodes), { a1: 1, a2: 1, a3: 2, b1: 4, none: 4 });
});

test('a branch that is full leaves its share to the others', () => {
  const resources = { memoryBytes: 1 };
  const nodes = infos(
    node('a', { spec: { annotations: { labels: { zone: 'a' } } }, description: { resources } }),
    node('b', {
      spec: { annotations: { labels: { zone: 'b' } } },
      description: { resources: { memoryBytes: 100 } },
    }),
  );
  const preferences = [
    { preference: { $case: 'spread' as const, spread: { spreadDescriptor: 'node.labels.zone' } } },
  ];
  const reservations = { memoryBytes: 1 };
  const spec = { placement: { preferences }, resources: { reservations } };
  assert.equal(run(nodes, waitingMany(9, { spec })).unassigned.length, 0);
  assert.deepEqual(counts(nodes), { a: 1, b: 8 });
});

test('a node on which a service keeps failing comes last for five minutes', () => {
  const minute = 60_000;
  const task = waiting('t');
  const at = (now: number) => {
    const nodes = infos(node('a'), node('b'));
    nodes[1]!.put(running('y', 'b'));
    for (let i = 0; i < 5; i += 1) nodes[0]!.noteFault(faultKey(task), i * minute);
    return schedule(nodes, [task], noContext, now).assigned[0]?.info.node.id;
  };
  assert.equal(at(4.5 * minute), 'b');
  assert.equal(at(5.5 * minute), 'a', 'the first failure is forgotten');
});

test('a task with a given node is confirmed there or not at all', () => {
  const [a] = infos(node('a'));
  const pinned = waiting('t', { nodeId: 'a' });
  assert.ok('info' in confirm(a, pinned, noContext));
  assert.deepEqual(confirm(undefined, pinned, noContext), {
    summary: 'no suitable node',
    rejections: [],
  });
  const [drained] = infos(node('d', { spec: { availability: NodeSpec_Availability.DRAIN } }));
  assert.ok('summary' in confirm(drained, pinned, noContext));
  const attachment = waiting('c', {
    spec: { runtime: { $case: 'attachment', attachment: { containerId: 'c' } } },
  });
  assert.ok('info' in confirm(drained, attachment, noContext), 'its container runs already');
});
