import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Network, Task } from '../../../proto/gen/swarm/objects.ts';
import { taskEndpoints } from '../../../worker/agent/container/endpoints.ts';

const VNI_LIST = 'com.docker.network.driver.overlay.vxlanid_list';

const overlay = Network.fromPartial({
  id: 'net-1',
  spec: {
    annotations: { name: 'back', labels: { a: 'b' } },
    driverConfig: { name: 'overlay', options: { encrypted: '' } },
    attachable: true,
  },
  driverState: { name: 'overlay', options: { [VNI_LIST]: '4097,4098' } },
  ipam: {
    configs: [
      { family: 4, subnet: '10.0.1.0/24', gateway: '10.0.1.1' },
      { family: 4, subnet: '10.0.2.0/24', gateway: '10.0.2.1' },
    ],
  },
});

const ingress = Network.fromPartial({
  id: 'ingress-id',
  spec: { annotations: { name: 'ingress' }, ingress: true },
  driverState: { name: 'overlay', options: { [VNI_LIST]: '4096' } },
  ipam: { configs: [{ family: 4, subnet: '10.0.0.0/24', gateway: '10.0.0.1' }] },
});

test('each overlay of a task becomes an endpoint with its service', () => {
  const task = Task.fromPartial({
    id: 't1',
    serviceId: 'svc-1',
    serviceAnnotations: { name: 'web' },
    networks: [
      { network: ingress, addresses: ['10.0.0.7/24'] },
      { network: overlay, addresses: ['10.0.1.5/24'], aliases: ['www'] },
      { network: Network.fromPartial({ id: 'h', driverState: { name: 'host' } }) },
    ],
    endpoint: {
      virtualIps: [
        { networkId: 'ingress-id', addr: '10.0.0.3/24' },
        { networkId: 'net-1', addr: '10.0.1.2/24' },
      ],
      ports: [
        { name: 'http', targetPort: 80, publishedPort: 8080, publishMode: 0 },
        { targetPort: 81, publishedPort: 8081, publishMode: 1 },
      ],
    },
  });
  let next = 0;
  const endpoints = taskEndpoints(task, () => `e${next++}`);
  assert.deepEqual(
    endpoints.map(({ endpointId, addresses, service, taskId }) => ({
      endpointId,
      addresses,
      service,
      taskId,
    })),
    [
      {
        endpointId: 'e0',
        addresses: ['10.0.0.7/24'],
        taskId: 't1',
        service: {
          id: 'svc-1',
          name: 'web',
          virtualIp: '10.0.0.3',
          aliases: [],
          ingressPorts: [
            { name: 'http', protocol: 0, targetPort: 80, publishedPort: 8080, snat: false },
          ],
        },
      },
      {
        endpointId: 'e1',
        addresses: ['10.0.1.5/24'],
        taskId: 't1',
        service: {
          id: 'svc-1',
          name: 'web',
          virtualIp: '10.0.1.2',
          aliases: ['www'],
          ingressPorts: [],
        },
      },
    ],
  );
});

test('without a virtual IP the service is answered for by its tasks', () => {
  const task = Task.fromPartial({
    id: 't1',
    networks: [{ network: overlay, addresses: ['10.0.1.5/24'] }],
  });
  assert.equal(taskEndpoints(task, () => 'e')[0]?.service?.virtualIp, '');
});
