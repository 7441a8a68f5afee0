import { testCases } from './cases.ts';
import { frame } from './fake-engine.ts';

const json = { Id: 'full', Config: { Tty: false, OpenStdin: false } };
const output = { body: Buffer.concat([frame('stdout', 'out\n'), frame('stderr', 'err\n')]) };

testCases('logs of a container', [
  {
    args: ['logs', 'web'],
    routes: { 'GET /containers/web/json': { json }, 'GET /containers/full/logs': output },
    asked: ['GET /containers/web/json', 'GET /containers/full/logs?stdout=1&stderr=1&tail=all'],
    stdout: 'out\n',
    stderr: 'err\n',
  },
  {
    args: ['logs', '-ft', '-n', '5', '--since', '10', '--until', '2024-01-01T00:00:00Z', 'web'],
    routes: { 'GET /containers/web/json': { json }, 'GET /containers/full/logs': output },
    asked: [
      'GET /containers/web/json',
      'GET /containers/full/logs?stdout=1&stderr=1&follow=1&timestamps=1&tail=5&since=10' +
        '&until=1704067200.000000000',
    ],
    stdout: 'out\n',
    stderr: 'err\n',
  },
  {
    args: ['logs', 'web'],
    routes: {
      'GET /containers/web/json': { json: { ...json, Config: { Tty: true } } },
      'GET /containers/full/logs': { body: 'raw\r\n' },
    },
    stdout: 'raw\r\n',
  },
  {
    args: ['logs', 'web'],
    routes: {
      'GET /containers/web/json': { json },
      'GET /containers/full/logs': {
        body: Buffer.concat([frame('stdout', 'a'), frame('error', 'driver broke')]),
      },
    },
    code: 1,
    stdout: 'a',
    stderr: 'Error from daemon in stream: driver broke\n',
  },
]);

const SERVICE = 's'.repeat(25);
const [TASK1, TASK12, TASK0] = ['1'.repeat(25), '2'.repeat(25), '0'.repeat(25)];
const service = {
  ID: SERVICE,
  Spec: {
    Name: 'web',
    Mode: { Replicated: { Replicas: 12 } },
    TaskTemplate: { ContainerSpec: { Image: 'x' } },
  },
};
const details = (task: string, more = '') =>
  `com.docker.swarm.node.id=n1,com.docker.swarm.service.id=${SERVICE},com.docker.swarm.task.id=${task}${more}`;
const line = (task: string, text: string) => frame('stdout', `${details(task)} ${text}`);
const objects = {
  'GET /services/web': { json: service },
  [`GET /services/${SERVICE}`]: { json: service },
  [`GET /tasks/${TASK1}`]: { json: { ID: TASK1, Slot: 1, Spec: service.Spec.TaskTemplate } },
  [`GET /tasks/${TASK12}`]: { json: { ID: TASK12, Slot: 12, Spec: service.Spec.TaskTemplate } },
  'GET /nodes/n1': { json: { Spec: {}, Description: { Hostname: 'host1' } } },
};
const logs = (...frames: Buffer[]) => ({
  ...objects,
  [`GET /services/${SERVICE}/logs`]: { body: Buffer.concat(frames) },
  [`GET /tasks/${TASK1}/logs`]: { body: Buffer.concat(frames) },
});
const tty = {
  ...service,
  Spec: { ...service.Spec, TaskTemplate: { ContainerSpec: { Image: 'x', TTY: true } } },
};

testCases('logs of a service', [
  {
    args: ['service', 'logs', 'web'],
    routes: logs(
      line(TASK1, 'one\n'),
      line(TASK12, 'two words\n'),
      frame('stderr', `${details(TASK1)} oops\n`),
      line(TASK1, 'no line feed'),
    ),
    asked: [
      'GET /services/web',
      `GET /services/${SERVICE}/logs?stdout=1&stderr=1&details=1&tail=all`,
      `GET /tasks/${TASK1}`,
      `GET /services/${SERVICE}`,
      'GET /nodes/n1',
      `GET /tasks/${TASK12}`,
    ],
    stdout: [
      'web.1.111111111111@host1     | one',
      'web.12.222222222222@host1    | two words',
      'web.1.111111111111@host1     | no line feed',
    ],
    stderr: 'web.1.111111111111@host1     | oops\n',
  },
  {
    args: ['service', 'logs', '--no-trunc', '--no-resolve', TASK1],
    routes: logs(line(TASK1, 'one\n')),
    stdout: `${SERVICE}.1.${TASK1}@n1    | one\n`,
  },
  {
    args: ['service', 'logs', '--no-task-ids', 'web'],
    // The second task is gone: only its id tells it from others.
    routes: logs(line(TASK1, 'one\n'), line(TASK0, 'gone\n')),
    stdout: ['web.1@host1     | one', 'web.000000000000@host1    | gone'],
  },
  {
    args: ['service', 'logs', '-t', '--details', '--tail', '3', '-f', 'web'],
    routes: logs(frame('stdout', `2024-01-01T00:00:00Z ${details(TASK1, ',k%2C=v+w')} one\n`)),
    stdout: '2024-01-01T00:00:00Z web.1.111111111111@host1     | k,=v w one\n',
  },
  {
    args: ['service', 'logs', '--raw', 'web'],
    routes: logs(frame('stdout', 'one\n'), frame('stderr', 'two\n')),
    asked: ['GET /services/web', `GET /services/${SERVICE}/logs?stdout=1&stderr=1&tail=all`],
    stdout: 'one\n',
    stderr: 'two\n',
  },
  {
    args: ['service', 'logs', 'web'],
    routes: { 'GET /services/web': { json: tty } },
    code: 1,
    stderr: 'tty service logs only supported with --raw\n',
  },
  {
    args: ['service', 'logs', '--raw', 'web'],
    routes: {
      'GET /services/web': { json: tty },
      [`GET /services/${SERVICE}/logs`]: { body: 'as it is\r\n' },
    },
    stdout: 'as it is\r\n',
  },
  { args: ['service', 'logs', 'nope'], code: 1, stderr: 'no such task or service: nope\n' },
  {
    args: ['service', 'logs', 'web'],
    routes: logs(frame('stdout', 'k=v one\n')),
    code: 1,
    stderr: 'missing com.docker.swarm.node.id in the details of a log line\n',
  },
]);
