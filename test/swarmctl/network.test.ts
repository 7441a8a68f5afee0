import { testCases } from './cases.ts';

testCases('networks', [
  {
    args: [
      ...['network', 'create', '-d', 'overlay', '--attachable', '--subnet', '10.9.0.0/24'],
      ...['--gateway', '10.9.0.1', '--aux-address', 'r=10.9.0.9', '-o', 'k=v', 'net'],
    ],
    routes: { 'POST /networks/create': { status: 201, json: { Id: 'id', Warning: 'careful' } } },
    sent: {
      'POST /networks/create': {
        Name: 'net',
        Driver: 'overlay',
        Scope: '',
        EnableIPv6: false,
        IPAM: {
          Driver: 'default',
          Options: {},
          Config: [
            { Subnet: '10.9.0.0/24', Gateway: '10.9.0.1', AuxiliaryAddresses: { r: '10.9.0.9' } },
          ],
        },
        Internal: false,
        Attachable: true,
        Ingress: false,
        Options: { k: 'v' },
        Labels: {},
      },
    },
    stdout: 'id\n',
    stderr: 'WARNING: careful\n',
  },
  { args: ['network', 'create', '--gateway', '10.9.0.1', 'x'], code: 1, stderr: /need a --subnet/ },
  {
    args: ['network', 'connect', '--ip', '10.0.0.9', '--alias', 'db', 'net', 'web'],
    routes: { 'POST /networks/net/connect': {} },
    sent: {
      'POST /networks/net/connect': {
        Container: 'web',
        EndpointConfig: {
          IPAMConfig: { IPv4Address: '10.0.0.9' },
          Aliases: ['db'],
          DriverOpts: {},
        },
      },
    },
  },
  {
    args: ['network', 'disconnect', '-f', 'net', 'web'],
    routes: { 'POST /networks/net/disconnect': {} },
    sent: { 'POST /networks/net/disconnect': { Container: 'web', Force: true } },
  },
  {
    args: ['network', 'inspect', 'nope'],
    code: 1,
    stdout: '[]\n',
    stderr: 'Error response from daemon: network nope not found\n',
  },
]);
