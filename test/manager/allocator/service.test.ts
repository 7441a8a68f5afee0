import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndpointSpec_ResolutionMode as Mode } from '../../../proto/gen/swarm/specs.ts';
import {
  PortConfig_Protocol as Protocol,
  PortConfig_PublishMode as Publish,
} from '../../../proto/gen/swarm/types.ts';
import { localStore } from '../../support/local-store.ts';
import { World } from './world.ts';

async function world(): Promise<World> {
  const w = new World(localStore().store);
  await w.ingress();
  await w.network('net');
  return w;
}

const published = (...ports: number[]) => ({
  ports: ports.map((publishedPort) => ({ targetPort: 80, publishedPort })),
});
const onHost = (publishedPort: number) => ({
  ports: [{ targetPort: 80, publishedPort, publishMode: Publish.HOST }],
});

test('a service has a virtual IP on each network, the first is .2', async () => {
  const w = await world();
  const plain = await w.service('a', ['net']);
  assert.deepEqual(plain.endpoint?.virtualIps, [{ networkId: 'net', addr: '10.0.1.2/24' }]);
  const open = await w.service('b', ['net'], published(8080));
  assert.deepEqual(open.endpoint?.virtualIps, [
    { networkId: 'ingress', addr: '10.0.0.2/24' },
    { networkId: 'net', addr: '10.0.1.3/24' },
  ]);
  const rr = await w.service('c', ['net'], { mode: Mode.DNSRR });
  assert.deepEqual(rr.endpoint?.virtualIps, []);
});

test('an update keeps what is still needed and frees the rest', async () => {
  const w = await world();
  await w.network('other');
  await w.service('a', ['net', 'other'], published(8080));
  const fewer = await w.service('a', ['other']);
  assert.deepEqual(fewer.endpoint?.virtualIps, [{ networkId: 'other', addr: '10.0.2.2/24' }]);
  assert.deepEqual(fewer.endpoint?.ports, []);
  await w.service('b', [], published(8080));
});

test('a port in use is refused by name, in each mode', async () => {
  const w = await world();
  await w.service('web', [], published(8080));
  await assert.rejects(w.service('api', [], published(8080)), {
    code: 'SWM_INVALID_ARGUMENT',
    message: "port '8080' is already in use by service 'web' (web) as an ingress port",
  });
  await assert.rejects(w.service('api', [], onHost(8080)), {
    message: "port '8080' is already in use by service 'web' (web) as an ingress port",
  });
  await w.service('agent', [], onHost(9000));
  await w.service('agent2', [], onHost(9000));
  await assert.rejects(w.service('api', [], published(9000)), {
    message:
      /^port '9000' is already in use by service 'agent2?' \(agent2?\) as a host-published port$/,
  });
  const udp = { ports: [{ targetPort: 53, publishedPort: 8080, protocol: Protocol.UDP }] };
  await w.service('dns', [], udp);
  await assert.rejects(w.service('twice', [], published(81, 81)), {
    message: 'EndpointSpec: duplicate published ports provided',
  });
  await w.remove('service', 'web');
  await w.service('api', [], published(8080));
});

test('open ports come from the dynamic range and stay', async () => {
  const w = await world();
  const first = await w.service('a', [], published(0, 30_001));
  assert.deepEqual(
    first.endpoint?.ports.map((port) => port.publishedPort),
    [30_000, 30_001],
  );
  const second = await w.service('b', [], published(0));
  assert.deepEqual(
    second.endpoint?.ports.map((port) => port.publishedPort),
    [30_002],
  );
  await w.remove('service', 'a');
  const again = await w.service('b', ['net'], published(0));
  assert.deepEqual(
    again.endpoint?.ports.map((port) => port.publishedPort),
    [30_002],
  );
  const host = await w.service('h', [], onHost(0));
  assert.deepEqual(
    host.endpoint?.ports.map((port) => port.publishedPort),
    [0],
  );
});

test('the whole dynamic range can be used, and then it says so', async () => {
  const w = await world();
  const all = published(...Array(2768).fill(0));
  const { endpoint } = await w.service('all', [], all);
  assert.equal(new Set(endpoint?.ports.map((port) => port.publishedPort)).size, 2768);
  await assert.rejects(w.service('more', [], published(0)), {
    code: 'SWM_RESOURCE_EXHAUSTED',
    message: 'no free tcp port left between 30000 and 32767',
  });
});

test('published ports need an ingress network', async () => {
  const w = new World(localStore().store);
  await assert.rejects(w.service('a', [], published(80)), {
    message: 'service needs ingress network, but no ingress network is present',
  });
  await assert.rejects(w.service('b', ['nope']), { message: 'network nope not found' });
});
