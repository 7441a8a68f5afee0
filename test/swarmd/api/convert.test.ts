import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SwarmError } from '../../../common/errors.ts';
import { Network, Node, Service } from '../../../proto/gen/swarm/objects.ts';
import {
  ClusterSpec,
  ConfigSpec,
  NetworkSpec,
  NodeSpec,
  ServiceSpec,
} from '../../../proto/gen/swarm/specs.ts';
import { clusterSpecFromApi, clusterSpecToApi } from '../../../swarmd/api/convert/cluster.ts';
import { networkSpecFromApi, networkToApi } from '../../../swarmd/api/convert/network.ts';
import { nodeSpecFromApi, nodeToApi } from '../../../swarmd/api/convert/node.ts';
import { configSpecFromApi, configToApi } from '../../../swarmd/api/convert/secret.ts';
import { serviceToApi } from '../../../swarmd/api/convert/service.ts';
import { serviceSpecFromApi, serviceSpecToApi } from '../../../swarmd/api/convert/service-spec.ts';
import { JsonReader } from '../../../swarmd/api/http/json-reader.ts';
import { clusterSpecJson, partly, serviceSpecJson } from './arbitrary-spec.ts';

/** What a client reads, and sends back unchanged. */
function overTheWire(json: object): JsonReader {
  return new JsonReader(JSON.parse(JSON.stringify(json)));
}

test('a service spec that is read and sent back is the same spec', () => {
  fc.assert(
    fc.property(serviceSpecJson, (json) => {
      const sent = serviceSpecFromApi(overTheWire(json));
      const stored = ServiceSpec.decode(ServiceSpec.encode(sent).finish());
      const again = serviceSpecFromApi(overTheWire(serviceSpecToApi(stored)));
      assert.deepEqual(ServiceSpec.decode(ServiceSpec.encode(again).finish()), stored);
    }),
    { seed: 2, numRuns: 400 },
  );
});

test('what a client says of a service is what it reads, defaults aside', () => {
  fc.assert(
    fc.property(serviceSpecJson, (json) => {
      const sent = JSON.parse(JSON.stringify(json));
      const shown = JSON.parse(
        JSON.stringify(serviceSpecToApi(serviceSpecFromApi(overTheWire(json)))),
      );
      assertContains(shown, sent, '');
    }),
    { seed: 3, numRuns: 400 },
  );
});

/** Every value of `part` that says something is in `whole`. */
function assertContains(whole: unknown, part: unknown, path: string): void {
  if (isEmpty(part)) return;
  // The engine always names these two, whatever it was told.
  if (path.endsWith('.ClusterOptions')) return;
  if (typeof part !== 'object' || part === null) {
    // Words for the default may be left out.
    if (['default', 'rprivate'].includes(part as string) && whole === undefined) return;
    assert.deepEqual(whole, part, path);
    return;
  }
  assert.ok(typeof whole === 'object' && whole !== null, `${path} is missing`);
  for (const [key, value] of Object.entries(part)) {
    assertContains((whole as Record<string, unknown>)[key], value, `${path}.${key}`);
  }
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0) return true;
  if (value === false) return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

test('no JSON makes the conversion fail other than with a bad request', () => {
  const keys = fc.constantFrom(
    'Name',
    'Labels',
    'TaskTemplate',
    'Mode',
    'EndpointSpec',
    'Networks',
  );
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), serviceSpecJson, (junk, json) => {
      try {
        serviceSpecFromApi(overTheWire({ ...json, ...junk }));
      } catch (error) {
        assert.ok(error instanceof SwarmError, String(error));
        assert.ok([400, 501].includes(error.httpStatus));
      }
    }),
    { seed: 4, numRuns: 400 },
  );
});

test('a cluster spec that is read and sent back is the same spec', () => {
  fc.assert(
    fc.property(clusterSpecJson, (json) => {
      const sent = clusterSpecFromApi(overTheWire(json));
      const stored = ClusterSpec.decode(ClusterSpec.encode(sent).finish());
      const again = clusterSpecFromApi(overTheWire(clusterSpecToApi(stored)));
      assert.deepEqual(ClusterSpec.decode(ClusterSpec.encode(again).finish()), stored);
    }),
    { seed: 5, numRuns: 200 },
  );
});

test('an empty cluster spec is the defaults', () => {
  assert.deepEqual(clusterSpecToApi(clusterSpecFromApi(overTheWire({}))), {
    Name: 'default',
    Labels: {},
    Orchestration: { TaskHistoryRetentionLimit: 5 },
    Raft: {
      SnapshotInterval: 10_000,
      KeepOldSnapshots: 0,
      LogEntriesForSlowFollowers: 500,
      ElectionTick: 10,
      HeartbeatTick: 1,
    },
    Dispatcher: { HeartbeatPeriod: 5_000_000_000 },
    CAConfig: { NodeCertExpiry: 7_776_000_000_000_000 },
    TaskDefaults: {},
    EncryptionConfig: { AutoLockManagers: false },
  });
});

test('signing keys go in and never come out', () => {
  const json = { CAConfig: { SigningCACert: 'CERT', SigningCAKey: 'KEY', ForceRotate: 1 } };
  const spec = clusterSpecFromApi(overTheWire(json));
  assert.equal(spec.caConfig?.signingCaKey.toString(), 'KEY');
  assert.equal(JSON.stringify(clusterSpecToApi(spec)).includes('KEY'), false);
});

test('node, config and network specs survive the way back too', () => {
  const words = fc.constantFrom('a', 'b');
  const labels = fc.dictionary(words, words);
  const nodeJson = fc.record({
    Name: words,
    Labels: labels,
    Role: fc.constantFrom('worker', 'manager'),
    Availability: fc.constantFrom('active', 'pause', 'drain'),
  });
  fc.assert(
    fc.property(nodeJson, (json) => {
      const spec = NodeSpec.decode(NodeSpec.encode(nodeSpecFromApi(overTheWire(json))).finish());
      const shown = nodeToApi(Node.fromPartial({ id: 'n', spec })).Spec;
      assert.deepEqual(nodeSpecFromApi(overTheWire(shown)), nodeSpecFromApi(overTheWire(json)));
    }),
    { seed: 6 },
  );
  const configJson = partly({
    Name: words,
    Labels: labels,
    Data: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
    Templating: fc.constant({ Name: 'golang' }),
  });
  fc.assert(
    fc.property(configJson, (json) => {
      const spec = configSpecFromApi(overTheWire(json));
      const shown = configToApi({ id: 'c', spec }).Spec;
      const bytes = (value: ConfigSpec) => ConfigSpec.encode(value).finish();
      assert.deepEqual(bytes(configSpecFromApi(overTheWire(shown))), bytes(spec));
    }),
    { seed: 7 },
  );
  const networkJson = partly({
    Name: words,
    Driver: fc.constant('overlay'),
    Labels: labels,
    Options: labels,
    EnableIPv6: fc.boolean(),
    Internal: fc.boolean(),
    Attachable: fc.boolean(),
    Ingress: fc.boolean(),
    IPAM: partly({
      Driver: words,
      Config: fc.array(
        partly({ Subnet: fc.constantFrom('10.1.0.0/24', 'fd00::/64'), Gateway: words }),
        { maxLength: 2 },
      ),
    }),
  });
  fc.assert(
    fc.property(networkJson, (json) => {
      const spec = networkSpecFromApi(overTheWire(json));
      const { Scope, ...shown } = networkToApi(Network.fromPartial({ id: 'n', spec }));
      assert.equal(Scope, 'swarm');
      const again = networkSpecFromApi(overTheWire(shown));
      const plain = (value: NetworkSpec) => ({
        ...NetworkSpec.fromPartial(value),
        // The default's name is shown for an empty one.
        driverConfig: { ...value.driverConfig, name: value.driverConfig?.name || 'overlay' },
        ipam: value.ipam?.configs ?? [],
      });
      assert.deepEqual(plain(again), plain(spec));
    }),
    { seed: 8 },
  );
});

test('credentials are kept and never shown', () => {
  const spec = ServiceSpec.fromPartial({
    task: {
      runtime: {
        $case: 'container',
        container: { image: 'x', pullOptions: { registryAuth: 'c2VjcmV0' } },
      },
    },
  });
  assert.equal(JSON.stringify(serviceSpecToApi(spec)).includes('c2VjcmV0'), false);
});

test('a service shows its defaults when asked to', () => {
  const spec = serviceSpecFromApi(
    overTheWire({ Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'x' } } }),
  );
  const service = Service.fromPartial({ id: 's', spec });
  assert.deepEqual(serviceToApi(service).Spec, {
    Name: 'web',
    Labels: {},
    TaskTemplate: {
      ContainerSpec: { Image: 'x', Isolation: 'default' },
      ForceUpdate: 0,
      Runtime: 'container',
    },
    Mode: { Replicated: { Replicas: 1 } },
  });
  const update = {
    Parallelism: 1,
    FailureAction: 'pause',
    Monitor: 5_000_000_000,
    MaxFailureRatio: 0,
    Order: 'stop-first',
  };
  assert.deepEqual(serviceToApi(service, { insertDefaults: true }).Spec, {
    Name: 'web',
    Labels: {},
    TaskTemplate: {
      ContainerSpec: {
        Image: 'x',
        StopGracePeriod: 10_000_000_000,
        DNSConfig: {},
        Isolation: 'default',
      },
      RestartPolicy: { Condition: 'any', Delay: 5_000_000_000, MaxAttempts: 0 },
      ForceUpdate: 0,
      Runtime: 'container',
    },
    Mode: { Replicated: { Replicas: 1 } },
    UpdateConfig: update,
    RollbackConfig: update,
    EndpointSpec: { Mode: 'vip' },
  });
});

test('modes: one at most, and what they leave out', () => {
  const mode = (Mode: object) => serviceSpecFromApi(overTheWire({ Mode })).mode;
  assert.deepEqual(mode({ Replicated: {} }), { $case: 'replicated', replicated: { replicas: 1 } });
  assert.deepEqual(mode({ ReplicatedJob: { MaxConcurrent: 3 } }), {
    $case: 'replicatedJob',
    replicatedJob: { maxConcurrent: 3, totalCompletions: 3 },
  });
  assert.throws(() => mode({ Replicated: {}, Global: {} }), /must specify only one service mode/);
});
