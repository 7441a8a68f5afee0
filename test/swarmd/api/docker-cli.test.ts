import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { LogMessage, LogStream } from '../../../proto/gen/swarm/logs.ts';
import { Task } from '../../../proto/gen/swarm/objects.ts';
import { NodeRole, TaskState } from '../../../proto/gen/swarm/types.ts';
import { addNode, NODE_ID } from './bench.ts';
import { type Served, serve } from './served.ts';

// The client that everybody has, against this server: what it prints is what users see.

const found = spawnSync('docker', ['--version'], { encoding: 'utf8' });
const skip = found.status === 0 ? false : 'there is no docker command on this machine';

interface Output {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `docker ARGS`; `input` is its standard input. */
function docker(served: Served, args: readonly string[], input = ''): Promise<Output> {
  const child = spawn('docker', ['-H', `unix://${served.socketPath}`, ...args], {
    env: { PATH: process.env['PATH'], DOCKER_CONFIG: '/nonexistent', HOME: '/nonexistent' },
  });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (texts.out += chunk));
  child.stderr.on('data', (chunk) => (texts.err += chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...texts }));
  });
}

/** Runs a command line that must succeed, and returns what it printed. */
async function ok(served: Served, line: string, input?: string): Promise<string> {
  const { code, out, err } = await docker(served, line.split(' '), input);
  assert.equal(code, 0, `docker ${line}: ${err}`);
  return out;
}

/** The columns of a printed table, header included. */
function table(text: string): string[][] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/).map((cell) => cell.trim()));
}

async function addTask({ control }: Served, serviceName: string): Promise<void> {
  await control.store.update((tx) => {
    const [service] = tx.find('service', { name: serviceName });
    const task = Task.fromPartial({
      id: 'taskaaaaaaaaaaaaaaaaaaaaa',
      serviceId: service!.id,
      slot: 1,
      nodeId: NODE_ID,
      desiredState: TaskState.RUNNING,
      status: { state: TaskState.RUNNING, timestamp: new Date() },
      serviceAnnotations: service!.spec!.annotations!,
      spec: service!.spec!.task!,
      specVersion: service!.specVersion!,
    });
    tx.create('task', task);
  });
}

const cliTest = (name: string, run: (t: TestContext) => Promise<void>) => test(name, { skip }, run);

cliTest('version and info', async (t) => {
  const served = await serve(t);
  const version = await ok(served, 'version');
  assert.match(version, /Server: swarmd 0\.1\.0/);
  assert.match(version, /API version: +1\.50 \(minimum version 1\.24\)/);
  const info = await ok(served, 'info');
  assert.match(info, /^ Swarm: active$/m);
  assert.match(info, /^ {2}NodeID: nodeaaaaaaaaaaaaaaaaaaaaa$/m);
  assert.match(info, /^ {2}Is Manager: true$/m);
  assert.match(info, /^ {3}Task History Retention Limit: 0$/m);
  assert.match(info, /^ {2}Manager Addresses:\n {3}10\.1\.0\.1:2377$/m);
  const format = '{{.Swarm.LocalNodeState}}/{{.Swarm.ControlAvailable}}';
  assert.equal(await ok(served, `info --format ${format}`), 'active/true\n');
});

cliTest('swarm init, join and leave', async (t) => {
  const served = await serve(t, { swarm: false });
  const refused = await docker(served, ['node', 'ls']);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /^Error response from daemon: This node is not a swarm manager\. Use/);
  const joined = await ok(served, 'swarm join --token SWMTKN-1-w 10.1.0.1:2377');
  assert.equal(joined, 'This node joined a swarm as a worker.\n');
  const left = await docker(served, ['swarm', 'leave']);
  assert.match(left.err, /This node is not part of a swarm/);
});

cliTest('swarm tokens, keys, settings and the CA', async (t) => {
  const served = await serve(t);
  const token = (await ok(served, 'swarm join-token -q worker')).trim();
  assert.match(token, /^SWMTKN-1-/);
  const rotated = await ok(served, 'swarm join-token --rotate worker');
  assert.match(rotated, /^Successfully rotated worker join token\./);
  assert.ok(!rotated.includes(token));
  assert.match(rotated, /docker swarm join --token SWMTKN-1-\S+ 10\.1\.0\.1:2377/);
  const update = await ok(served, 'swarm update --task-history-limit 3 --cert-expiry 100h');
  assert.equal(update, 'Swarm updated.\n');
  assert.match(await ok(served, 'info'), /Task History Retention Limit: 3/);
  assert.equal(await ok(served, 'swarm unlock-key -q'), 'SWMKEY-1-xyz\n');
  assert.match(await ok(served, 'swarm ca'), /^-----BEGIN CERTIFICATE-----/);
});

cliTest('node ls, inspect, update', async (t) => {
  const served = await serve(t);
  await addNode(served.control, 'workerbbbbbbbbbbbbbbbbbbb', 'host2', NodeRole.WORKER);
  const rows = table(await ok(served, 'node ls'));
  assert.deepEqual(rows[0], [
    'ID',
    'HOSTNAME',
    'STATUS',
    'AVAILABILITY',
    'MANAGER STATUS',
    'ENGINE VERSION',
  ]);
  assert.deepEqual(rows[1], [`${NODE_ID} *`, 'host1', 'Ready', 'Active', 'Leader', '28.2.2']);
  assert.deepEqual(rows[2], ['workerbbbbbbbbbbbbbbbbbbb', 'host2', 'Ready', 'Active', '28.2.2']);
  const pretty = await ok(served, 'node inspect self --pretty');
  assert.match(pretty, /^Hostname:\s+host1$/m);
  assert.match(pretty, /^ Raft Status:\s+Reachable$/m);
  assert.match(pretty, /^ Memory:\s+7\.451GiB$/m);
  assert.equal(
    await ok(served, 'node update --availability drain --label-add a=b host2'),
    'host2\n',
  );
  const promoted = await ok(served, 'node promote host2');
  assert.equal(promoted, 'Node host2 promoted to a manager in the swarm.\n');
  const inspected = JSON.parse(await ok(served, 'node inspect host2'));
  assert.deepEqual(inspected[0].Spec, {
    Labels: { a: 'b', zone: 'host2' },
    Role: 'manager',
    Availability: 'drain',
  });
});

cliTest('service create, ls, ps, inspect, scale, update, rm', async (t) => {
  const served = await serve(t);
  const id = (
    await ok(served, 'service create -d --name web --replicas 2 -p 8080:80 nginx')
  ).trim();
  assert.match(id, /^[a-z0-9]{25}$/);
  await addTask(served, 'web');
  assert.deepEqual(table(await ok(served, 'service ls')), [
    ['ID', 'NAME', 'MODE', 'REPLICAS', 'IMAGE', 'PORTS'],
    [id.slice(0, 12), 'web', 'replicated', '1/2', 'nginx:latest', '*:8080->80/tcp'],
  ]);
  const [, row] = table(await ok(served, 'service ps web'));
  assert.deepEqual(row?.slice(0, 5), ['taskaaaaaaaa', 'web.1', 'nginx:latest', 'host1', 'Running']);
  assert.match(row?.[5] ?? '', /^Running /);
  const pretty = await ok(served, 'service inspect --pretty web');
  assert.match(pretty, /^Service Mode:\s+Replicated\n Replicas:\s+2$/m);
  assert.match(pretty, /^ On failure:\s+pause$/m);
  assert.match(pretty, /PublishedPort = 8080/);
  assert.equal(await ok(served, 'service scale -d web=4'), 'web scaled to 4\n');
  assert.equal(await ok(served, 'service update -d --env-add A=b --limit-pids 9 web'), 'web\n');
  const [inspected] = JSON.parse(await ok(served, 'service inspect web'));
  assert.deepEqual(inspected.Spec.Mode, { Replicated: { Replicas: 4 } });
  assert.deepEqual(inspected.Spec.TaskTemplate.ContainerSpec.Env, ['A=b']);
  assert.equal(inspected.Spec.TaskTemplate.Resources.Limits.Pids, 9);
  assert.equal(await ok(served, 'service rollback -d web'), 'web\n');
  const gone = await docker(served, ['service', 'rm', 'web', 'nope']);
  assert.equal(gone.code, 1);
  assert.equal(gone.out, 'web\n');
  assert.match(gone.err, /Error response from daemon: service nope not found/);
});

cliTest('a service with everything survives its update', async (t) => {
  const served = await serve(t);
  await ok(served, 'network create -d overlay ov1');
  await ok(served, 'secret create sec1 -', 'hush');
  await ok(served, 'config create cfg1 -', 'port=1');
  await ok(
    served,
    'service create --name web --no-resolve-image -d --replicas 2 -p 8080:80 --network ov1 --secret sec1 --config cfg1 --constraint node.role==manager --env A=b --mount type=volume,src=v,dst=/d --limit-cpu 0.5 --limit-memory 64m --reserve-cpu 0.1 --restart-condition on-failure --restart-max-attempts 3 --restart-delay 2s --update-parallelism 2 --update-delay 1s --update-order start-first --rollback-parallelism 1 --label l=1 --container-label cl=2 --health-cmd true --health-interval 2s --stop-grace-period 3s --user 1000 --workdir /w --hostname {{.Node.Hostname}} --host h:1.2.3.4 --dns 8.8.8.8 --cap-add NET_ADMIN --ulimit nofile=10:20 --sysctl net.core.somaxconn=1 --log-driver json-file --log-opt max-size=1m --placement-pref spread=node.labels.zone --replicas-max-per-node 1 --endpoint-mode vip --init --read-only --tty --entrypoint /bin/sh nginx:alpine -c true',
  );
  const [before] = JSON.parse(await ok(served, 'service inspect web'));
  await ok(served, 'service update -d --label-add x=y web');
  const [after] = JSON.parse(await ok(served, 'service inspect web'));
  assert.deepEqual(after.Spec.TaskTemplate, before.Spec.TaskTemplate);
  assert.deepEqual(after.Spec.EndpointSpec, before.Spec.EndpointSpec);
  assert.deepEqual(after.Spec.Labels, { l: '1', x: 'y' });
});

cliTest('stack deploy and rm', async (t) => {
  const served = await serve(t);
  const file = [
    'services:',
    '  web:',
    '    image: nginx:alpine',
    '    deploy: { replicas: 2 }',
    '    networks: [back]',
    'networks:',
    '  back: { driver: overlay, attachable: true }',
  ].join('\n');
  const deploy = 'stack deploy --resolve-image never -c - st';
  const first = await ok(served, deploy, file);
  assert.match(first, /Creating network st_back\nCreating service st_web\n/);
  assert.match(await ok(served, deploy, file), /Updating service st_web \(id: \w+\)/);
  assert.deepEqual(table(await ok(served, 'stack ls'))[1], ['st', '1']);
  assert.equal(table(await ok(served, 'stack services st'))[1]?.[1], 'st_web');
  const removed = await ok(served, 'stack rm st');
  assert.equal(removed, 'Removing service st_web\nRemoving network st_back\n');
});

cliTest('service logs', async (t) => {
  const served = await serve(t);
  await ok(served, 'service create -d --name web --no-resolve-image nginx');
  await addTask(served, 'web');
  const [service] = JSON.parse(await ok(served, 'service inspect web'));
  const line = (stream: LogStream, text: string) =>
    LogMessage.fromPartial({
      context: { serviceId: service.ID, nodeId: NODE_ID, taskId: 'taskaaaaaaaaaaaaaaaaaaaaa' },
      timestamp: new Date(),
      stream,
      data: Buffer.from(text),
    });
  served.manager.messages = [line(LogStream.STDOUT, 'out\n'), line(LogStream.STDERR, 'err\n')];
  const { out, err } = await docker(served, ['service', 'logs', 'web']);
  assert.equal(out, 'web.1.taskaaaaaaaa@host1    | out\n');
  assert.equal(err, 'web.1.taskaaaaaaaa@host1    | err\n');
});

cliTest('secrets and configs', async (t) => {
  const served = await serve(t);
  const id = (await ok(served, 'secret create -l a=b sec1 -', 'hush')).trim();
  const [, row] = table(await ok(served, 'secret ls'));
  assert.deepEqual(row?.slice(0, 2), [id, 'sec1']);
  await ok(served, 'config create cfg1 -', 'port=1');
  assert.match(await ok(served, 'config inspect --pretty cfg1'), /Data:\nport=1/);
  const gone = await docker(served, ['secret', 'rm', 'sec1', 'nope']);
  assert.equal(gone.out, 'sec1\n');
  assert.match(gone.err, /Error response from daemon: secret nope not found/);
});

cliTest('network ls, create, inspect, connect, rm, prune', async (t) => {
  const served = await serve(t);
  const id = (
    await ok(served, 'network create -d overlay --attachable --subnet 10.9.0.0/24 ov1')
  ).trim();
  const rows = table(await ok(served, 'network ls'));
  assert.deepEqual(rows[0], ['NETWORK ID', 'NAME', 'DRIVER', 'SCOPE']);
  assert.ok(rows.some((row) => row.join() === `${id.slice(0, 12)},ov1,overlay,swarm`));
  assert.ok(rows.some((row) => row.slice(1).join() === 'bridge,bridge,local'));
  const [inspected] = JSON.parse(await ok(served, 'network inspect -v ov1'));
  assert.equal(inspected.IPAM.Config[0].Subnet, '10.9.0.0/24');
  assert.equal(await ok(served, 'network connect --alias a1 ov1 c1'), '');
  assert.equal(await ok(served, 'network rm ov1'), 'ov1\n');
  const missing = await docker(served, ['network', 'rm', 'ov1']);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /Error response from daemon: network ov1 not found/);
  await ok(served, 'network create -d overlay lone');
  assert.equal(await ok(served, 'network prune -f'), 'Deleted Networks:\nlone\n\n');
});

cliTest('run: output, exit code, input, detached', async (t) => {
  const served = await serve(t);
  const echo = await docker(served, ['run', '--rm', 'alpine', 'echo', 'hi']);
  assert.deepEqual(echo, { code: 0, out: 'hi\n', err: 'warned\n' });
  const exit = await docker(served, ['run', 'alpine', 'exit', '3']);
  assert.equal(exit.code, 3);
  const cat = await docker(served, ['run', '-i', '--rm', 'alpine', 'cat'], 'typed');
  assert.deepEqual(cat, { code: 0, out: 'typed', err: '' });
  const id = (await ok(served, 'run -d --name c1 alpine sleep 100')).trim();
  assert.match(id, /^[0-9a-f]{64}$/);
  const [header, row] = table(await ok(served, 'ps'));
  assert.equal(header?.[0], 'CONTAINER ID');
  assert.deepEqual(row?.slice(0, 3), [id.slice(0, 12), 'alpine', '"sleep 100"']);
  assert.match(row?.join() ?? '', /0\.0\.0\.0:8080->80\/tcp/);
  const conflict = await docker(served, ['run', '-d', '--name', 'c1', 'alpine']);
  assert.equal(conflict.code, 125);
  assert.match(conflict.err, /The container name "\/c1" is already in use/);
});

cliTest('run pulls what is missing', async (t) => {
  const served = await serve(t);
  const { code, err } = await docker(served, ['run', '-d', 'busybox', 'sleep']);
  assert.equal(code, 0, err);
  assert.match(err, /Unable to find image 'busybox:latest' locally/);
  assert.match(err, /latest: Pulling from library\/x/);
});

cliTest('exec, logs, cp, stop, wait, rm', async (t) => {
  const served = await serve(t);
  await ok(served, 'run -d --name c1 alpine sleep 100');
  const exec = await docker(served, ['exec', 'c1', 'echo', 'in']);
  assert.deepEqual(exec, { code: 0, out: 'in\n', err: 'warned\n' });
  assert.equal((await docker(served, ['exec', 'c1', 'exit', '7'])).code, 7);
  assert.equal(await ok(served, 'exec -i c1 cat', 'piped'), 'piped');
  assert.equal(await ok(served, 'exec -d c1 ls'), '');
  served.node.engine.log('c1', 'stdout', 'line\n');
  assert.equal(await ok(served, 'logs -t c1'), '2026-01-02T03:04:05.000000006Z line\n');
  assert.match(await ok(served, 'top c1'), /^UID\s+PID\s+CMD\nroot\s+1\s+sleep\n$/);
  assert.equal(await ok(served, 'stop -t 1 c1'), 'c1\n');
  assert.equal(await ok(served, 'wait c1'), '137\n');
  assert.equal(await ok(served, 'rm -f c1'), 'c1\n');
  const missing = await docker(served, ['exec', 'c1', 'ls']);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /Error response from daemon: No such container: c1/);
});

cliTest('images, pull, login errors, volumes, events', async (t) => {
  const served = await serve(t);
  const pulled = await ok(served, 'pull busybox:1.36');
  assert.match(pulled, /^1\.36: Pulling from library\/x\nDigest: sha256:3+\n/);
  const [, row] = table(await ok(served, 'images alpine'));
  assert.deepEqual(
    [row?.[0], row?.[1], row?.[2], row?.[4]],
    ['alpine', 'latest', '1'.repeat(12), '8MB'],
  );
  const denied = await docker(served, ['pull', 'denied']);
  assert.equal(denied.code, 1);
  assert.match(denied.err, /Error response from daemon: pull access denied/);
  const broken = await docker(served, ['pull', 'broken']);
  assert.equal(broken.code, 1);
  assert.match(broken.err, /connection reset/);
  assert.equal(await ok(served, 'volume create v1'), 'v1\n');
  assert.deepEqual(table(await ok(served, 'volume ls'))[1], ['local', 'v1']);
  await ok(served, 'network create -d overlay ov1');
  const until = Math.ceil(Date.now() / 1_000);
  const events = await ok(served, `events --since 1 --until ${until} --filter type=network`);
  assert.match(events, /^\S+ network create \w{25} \(name=ov1\)\n$/);
  assert.match(await ok(served, 'system df'), /^Images\s+2/m);
});
