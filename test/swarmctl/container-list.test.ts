import { type Case, secondsAgo, testCases } from './cases.ts';

const ID = 'c'.repeat(64);
const summary = {
  Id: ID,
  Names: ['/web', '/other/link'],
  Image: 'nginx@sha256:'.concat('a'.repeat(64)),
  ImageID: 'sha256:'.concat('b'.repeat(64)),
  Command: "/docker-entrypoint.sh nginx -g 'daemon off;'",
  Created: secondsAgo(3 * 60 + 5),
  Ports: [
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { PrivatePort: 443, Type: 'tcp' },
  ],
  Labels: { a: 'b', c: 'd' },
  State: 'running',
  Status: 'Up 3 minutes',
  SizeRw: 5,
  SizeRootFs: 2_000_000,
  NetworkSettings: { Networks: { one: {}, two: {} } },
  Mounts: [{ Name: 'a-volume-with-a-long-name', Source: '' }, { Source: '/srv' }],
};
const routes = { 'GET /containers/json': { json: [summary] } };

const table: readonly Case[] = [
  {
    args: ['ps'],
    routes: { 'GET /containers/json': { json: [] } },
    asked: ['GET /containers/json'],
    stdout: ['CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES'],
  },
  {
    args: ['ps'],
    routes,
    stdout: [
      'CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         PORTS' +
        '                                              NAMES',
      'cccccccccccc   nginx     "/docker-entrypoint.…"   3 minutes ago   Up 3 minutes   ' +
        '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp   web',
    ],
  },
  {
    args: ['ps', '--no-trunc', '--format', '{{.ID}}|{{.Image}}|{{.Command}}|{{.Names}}'],
    routes,
    stdout: [
      `${ID}|${summary.Image}|"/docker-entrypoint.sh nginx -g 'daemon off;'"|web,other/link`,
    ],
  },
  {
    args: ['ps', '-s', '--format', '{{.Size}}'],
    routes,
    asked: ['GET /containers/json?size=1'],
    stdout: '5B (virtual 2MB)\n',
  },
  {
    args: ['ps', '--format', 'table {{.Names}}\\t{{.Networks}}\\t{{.Mounts}}'],
    routes,
    stdout: ['NAMES     NETWORKS   MOUNTS', 'web       one,two    a-volume-with-…,/srv'],
  },
  {
    args: ['ps', '--format', '{{.Labels}} {{.State}} {{.LocalVolumes}} {{.RunningFor}}'],
    routes,
    stdout: 'a=b,c=d running 1 3 minutes ago\n',
  },
  {
    args: ['ps', '-aq', '--filter', 'name=web', '-f', 'status=exited'],
    routes,
    asked: ['GET /containers/json?all=1&filters={"name":{"web":true},"status":{"exited":true}}'],
    stdout: 'cccccccccccc\n',
  },
  { args: ['ps', '-q', '--no-trunc'], routes, stdout: `${ID}\n` },
  { args: ['ps', '-ql'], routes, asked: ['GET /containers/json?limit=1'], stdout: /^c{12}\n$/ },
  {
    args: ['ps', '-qn', '3'],
    routes,
    asked: ['GET /containers/json?limit=3'],
    stdout: /^c{12}\n$/,
  },
  { args: ['container', 'ls', '-q'], routes, stdout: 'cccccccccccc\n' },
  { args: ['container', 'ps', '-q'], routes, stdout: 'cccccccccccc\n' },
  {
    args: ['ps', '--format', '{{.Nope}}'],
    routes,
    code: 1,
    stderr: /^template parsing error: there is no field "Nope"/,
  },
  {
    args: ['ps', '-f', 'nonsense'],
    routes,
    code: 1,
    stderr: 'invalid argument "nonsense" for "-f, --filter": use key=value\n',
  },
];

testCases('lists of containers', table);

const published = {
  'GET /containers/web/json': {
    json: {
      NetworkSettings: {
        Ports: {
          '80/tcp': [
            { HostIp: '0.0.0.0', HostPort: '8080' },
            { HostIp: '::', HostPort: '8080' },
          ],
          '443/tcp': null,
        },
      },
    },
  },
};

testCases('port and top', [
  {
    args: ['port', 'web'],
    routes: published,
    stdout: ['80/tcp -> 0.0.0.0:8080', '80/tcp -> [::]:8080'],
  },
  { args: ['port', 'web', '80'], routes: published, stdout: ['0.0.0.0:8080', '[::]:8080'] },
  { args: ['port', 'web', '80/tcp'], routes: published, stdout: ['0.0.0.0:8080', '[::]:8080'] },
  {
    args: ['port', 'web', '443'],
    routes: published,
    code: 1,
    stderr: "no public port '443/tcp' published for web\n",
  },
  {
    args: ['top', 'web', '-o', 'pid,cmd'],
    routes: {
      'GET /containers/web/top': {
        json: { Titles: ['PID', 'CMD'], Processes: [['1', 'sh -c x']] },
      },
    },
    asked: ['GET /containers/web/top?ps_args=-o+pid,cmd'],
    stdout: ['PID       CMD', '1         sh -c x'],
  },
]);
