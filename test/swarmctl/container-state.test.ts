import { testCases } from './cases.ts';

const done = { status: 204 };
const gone = { status: 404, json: { message: 'No such container: nope' } };
const complaint = 'Error response from daemon: No such container: nope\n';

testCases('what changes the state of containers', [
  {
    args: ['stop', '-t', '3', '-s', 'SIGINT', 'a', 'b'],
    routes: { 'POST /containers/a/stop': done, 'POST /containers/b/stop': { status: 304 } },
    asked: [
      'POST /containers/a/stop?signal=SIGINT&t=3',
      'POST /containers/b/stop?signal=SIGINT&t=3',
    ],
    stdout: ['a', 'b'],
  },
  {
    args: ['stop', 'a', 'nope', 'b'],
    routes: {
      'POST /containers/a/stop': done,
      'POST /containers/nope/stop': gone,
      'POST /containers/b/stop': done,
    },
    stdout: ['a', 'b'],
    stderr: complaint,
    code: 1,
  },
  {
    args: ['restart', '--time', '0', 'a'],
    routes: { 'POST /containers/a/restart': done },
    asked: ['POST /containers/a/restart?t=0'],
    stdout: 'a\n',
  },
  {
    args: ['start', 'a', 'b'],
    routes: { 'POST /containers/a/start': done, 'POST /containers/b/start': done },
    stdout: ['a', 'b'],
  },
  {
    args: ['start', '-a', 'a', 'b'],
    stderr: 'you cannot start and attach multiple containers at once\n',
    code: 1,
  },
  {
    args: ['kill', '-s', 'HUP', 'a'],
    routes: { 'POST /containers/a/kill': done },
    asked: ['POST /containers/a/kill?signal=HUP'],
    stdout: 'a\n',
  },
  {
    args: ['kill', 'nope'],
    routes: { 'POST /containers/nope/kill': gone },
    stderr: complaint,
    code: 1,
  },
  {
    args: ['container', 'pause', 'a'],
    routes: { 'POST /containers/a/pause': done },
    stdout: 'a\n',
  },
  { args: ['unpause', 'a'], routes: { 'POST /containers/a/unpause': done }, stdout: 'a\n' },
  {
    args: ['rename', 'a', 'b'],
    routes: { 'POST /containers/a/rename': done },
    asked: ['POST /containers/a/rename?name=b'],
  },
  {
    args: ['wait', 'a', 'b'],
    routes: {
      'POST /containers/a/wait': { json: { StatusCode: 0 } },
      'POST /containers/b/wait': { json: { StatusCode: 137 } },
    },
    stdout: ['0', '137'],
  },
  {
    args: ['wait', 'a'],
    routes: { 'POST /containers/a/wait': { json: { StatusCode: -1, Error: { Message: 'lost' } } } },
    stderr: 'Error response from daemon: lost\n',
    code: 1,
  },
  {
    args: ['rm', '-fv', 'a'],
    routes: { 'DELETE /containers/a': done },
    asked: ['DELETE /containers/a?force=1&v=1'],
    stdout: 'a\n',
  },
  { args: ['rm', 'nope'], routes: { 'DELETE /containers/nope': gone }, stderr: complaint, code: 1 },
  // With force it is to be gone, and it is.
  { args: ['rm', '-f', 'nope'], routes: { 'DELETE /containers/nope': gone }, stderr: complaint },
  {
    args: ['container', 'prune', '-f', '--filter', 'until=1h'],
    routes: {
      'POST /containers/prune': { json: { ContainersDeleted: ['x', 'y'], SpaceReclaimed: 1234 } },
    },
    asked: ['POST /containers/prune?filters={"until":{"1h":true}}'],
    stdout: ['Deleted Containers:', 'x', 'y', '', 'Total reclaimed space: 1.23kB'],
  },
  {
    args: ['container', 'prune'],
    stdin: 'n\n',
    asked: [],
    stdout: /^WARNING! This will remove all stopped containers\.\nAre you sure/,
  },
  {
    args: ['container', 'prune'],
    stdin: 'y\n',
    routes: { 'POST /containers/prune': { json: { ContainersDeleted: null, SpaceReclaimed: 0 } } },
    stdout: /Total reclaimed space: 0B\n$/,
  },
  { args: ['container', 'prune'], code: 1, stdout: /^WARNING!/, stderr: 'there was no answer\n' },
]);
