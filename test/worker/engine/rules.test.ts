import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { frame } from '../../../worker/engine/attach-stream.ts';
import { mergeConfig } from '../../../worker/engine/config-merge.ts';
import { DetachParser, parseDetachKeys } from '../../../worker/engine/detach-keys.ts';
import { evaluateProbe, healthPlan, probeDelay } from '../../../worker/engine/health-rules.ts';
import { logSettings } from '../../../worker/engine/logging.ts';
import { inheritedMounts, mountRequests, parseBind } from '../../../worker/engine/mounts.ts';
import { checkName, generateName } from '../../../worker/engine/names.ts';
import { portBindings, requestedNetworks } from '../../../worker/engine/network-plan.ts';
import { type ContainerRecord, newState } from '../../../worker/engine/record.ts';
import {
  restartDelay,
  shouldRestart,
  shouldStartAtBoot,
} from '../../../worker/engine/restart-policy.ts';
import type { HostConfig } from '../../../worker/engine/types.ts';
import { validate } from '../../../worker/engine/validate.ts';

const CONFIG = { Image: 'x', Cmd: ['sh'] };

function record(hostConfig: HostConfig, more: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    id: 'c',
    name: 'c',
    createdAt: 0,
    config: CONFIG,
    hostConfig,
    networks: {},
    imageId: '',
    mounts: [],
    injected: [],
    taskId: '',
    taskEndpoints: [],
    state: newState,
    healthLog: [],
    failingStreak: 0,
    restartCount: 0,
    stoppedByUser: false,
    attachments: [],
    ...more,
  };
}

describe('detach keys', () => {
  it('are read as the CLI writes them', () => {
    assert.deepEqual(parseDetachKeys(), [16, 17]);
    assert.deepEqual(parseDetachKeys('ctrl-a,x,ctrl-@,ctrl-_,DEL'), [1, 120, 0, 31, 127]);
    assert.throws(() => parseDetachKeys('ctrl-1'), /Invalid detach keys/);
    assert.throws(() => parseDetachKeys('word'), /Invalid detach keys/);
  });

  it('are found in typed input however it comes, and never passed on', () => {
    const typed = fc.array(fc.constantFrom(1, 2, 3, 65), { maxLength: 30 });
    fc.assert(
      fc.property(typed, fc.integer({ min: 1, max: 5 }), (before, size) => {
        const keys = [1, 2];
        const input = Buffer.from([...before, ...keys, 99]);
        const parser = new DetachParser(keys);
        const out: number[] = [];
        for (let at = 0; at < input.length; at += size) {
          const { data, detached } = parser.push(input.subarray(at, at + size));
          out.push(...data);
          if (!detached) continue;
          // What went through is all that came before the first whole sequence.
          const end = input.indexOf(Buffer.from(keys));
          assert.deepEqual(out, [...input.subarray(0, end)]);
          return;
        }
        assert.fail('not found');
      }),
    );
  });
});

describe('the multiplexed stream', () => {
  it('has eight bytes before the data', () => {
    assert.deepEqual([...frame('stderr', Buffer.from('hi'))], [2, 0, 0, 0, 0, 0, 0, 2, 104, 105]);
  });
});

describe('restart policies', () => {
  const policy = (Name: string, MaximumRetryCount = 0) => ({
    RestartPolicy: { Name, MaximumRetryCount },
  });

  it('decide after an exit', () => {
    assert.equal(shouldRestart(record(policy('no')), 1), false);
    assert.equal(shouldRestart(record(policy('always')), 0), true);
    assert.equal(shouldRestart(record(policy('on-failure')), 0), false);
    assert.equal(shouldRestart(record(policy('on-failure')), 1), true);
    assert.equal(shouldRestart(record(policy('on-failure', 2), { restartCount: 2 }), 1), false);
    assert.equal(shouldRestart(record(policy('always'), { stoppedByUser: true }), 1), false);
    assert.equal(shouldRestart(record(policy('always'), { taskId: 't' }), 1), false);
  });

  it('decide at boot', () => {
    const exited = { state: { ...newState, status: 'exited' as const } };
    const stopped = { ...exited, stoppedByUser: true };
    assert.equal(shouldStartAtBoot(record(policy('always'), stopped), false), true);
    assert.equal(shouldStartAtBoot(record(policy('unless-stopped'), stopped), false), false);
    assert.equal(shouldStartAtBoot(record(policy('unless-stopped'), exited), true), true);
    assert.equal(shouldStartAtBoot(record(policy('always')), false), false);
    assert.equal(shouldStartAtBoot(record(policy('no'), exited), true), false);
  });

  it('wait longer after each short run', () => {
    assert.equal(restartDelay(0, 5), 100);
    assert.equal(restartDelay(100, 5), 200);
    assert.equal(restartDelay(50_000, 5), 60_000);
    assert.equal(restartDelay(50_000, 10_000), 100);
  });
});

describe('health checks', () => {
  const of = (Test: string[], more = {}) =>
    healthPlan({ Image: 'x', Healthcheck: { Test, ...more } });

  it('have Docker’s defaults', () => {
    assert.deepEqual(of(['CMD-SHELL', 'true']), {
      args: ['/bin/sh', '-c', 'true'],
      intervalMs: 30_000,
      timeoutMs: 30_000,
      startPeriodMs: 0,
      startIntervalMs: 5_000,
      retries: 3,
    });
    assert.equal(of(['NONE']), undefined);
    assert.equal(of([]), undefined);
  });

  it('count failures only after the start period', () => {
    const plan = of(['CMD', 'x'], { StartPeriod: 10e9, Retries: 2, Interval: 7e9 })!;
    const failed = { health: 'starting' as const, failingStreak: 0, passed: false };
    assert.deepEqual(evaluateProbe(plan, { ...failed, sinceStartMs: 9_000 }), {
      health: 'starting',
      failingStreak: 0,
    });
    assert.deepEqual(evaluateProbe(plan, { ...failed, sinceStartMs: 11_000 }), {
      health: 'starting',
      failingStreak: 1,
    });
    assert.deepEqual(evaluateProbe(plan, { ...failed, failingStreak: 1, sinceStartMs: 11_000 }), {
      health: 'unhealthy',
      failingStreak: 2,
    });
    const passed = { health: 'unhealthy' as const, failingStreak: 9, passed: true };
    assert.deepEqual(evaluateProbe(plan, { ...passed, sinceStartMs: 1 }), {
      health: 'healthy',
      failingStreak: 0,
    });
    assert.equal(probeDelay(plan, { health: 'starting', runningForMs: 1 }), 5_000);
    assert.equal(probeDelay(plan, { health: 'healthy', runningForMs: 1 }), 7_000);
  });
});

describe('a container’s configuration', () => {
  const image = { Entrypoint: ['entry'], Cmd: ['default'], Env: ['A=1', 'B=2'], User: 'app' };

  it('is laid over its image’s', () => {
    const merged = mergeConfig({ Image: 'x', Env: ['A=9'] }, image);
    assert.deepEqual([merged.Entrypoint, merged.Cmd], [['entry'], ['default']]);
    assert.deepEqual(merged.Env, ['A=9', 'B=2']);
    assert.equal(merged.User, 'app');
    assert.deepEqual(mergeConfig({ Image: 'x', Cmd: ['own'] }, image).Entrypoint, ['entry']);
  });

  it('drops the image’s command with its entry point', () => {
    const merged = mergeConfig({ Image: 'x', Entrypoint: ['own'] }, image);
    assert.deepEqual([merged.Entrypoint, merged.Cmd], [['own'], []]);
    const cleared = mergeConfig({ Image: 'x', Entrypoint: [''], Cmd: ['ls'] }, image);
    assert.deepEqual([cleared.Entrypoint, cleared.Cmd], [null, ['ls']]);
    assert.throws(() => mergeConfig({ Image: 'x' }, {}), /no command specified/);
  });
});

describe('mounts', () => {
  it('are read from the short form', () => {
    assert.equal(parseBind('/host:/in').type, 'bind');
    assert.deepEqual(
      [parseBind('name:/in:ro').type, parseBind('name:/in:ro').readOnly],
      ['volume', true],
    );
    assert.equal(parseBind('/in').source, '');
    assert.equal(parseBind('/a:/b:rshared').propagation, 'rshared');
    for (const bad of ['a:b', '/a:/b:/c:d', ':/x', '/a:/b:fast', '/a:/', './a:/b']) {
      assert.throws(() => parseBind(bad), { code: 'SWM_INVALID_ARGUMENT' }, bad);
    }
  });

  it('may not lie on one another', () => {
    assert.throws(
      () => mountRequests(CONFIG, { Binds: ['/a:/x'], Tmpfs: { '/x': '' } }),
      /Duplicate mount point: \/x/,
    );
  });

  it('stand in for the image’s volumes, and for those of other containers', () => {
    const lent = inheritedMounts(
      [
        {
          type: 'volume',
          name: 'lent',
          source: '/var/lent',
          destination: '/data',
          driver: 'local',
          mode: '',
          readWrite: true,
          propagation: '',
          nonRecursive: false,
          tmpfsOptions: '',
          anonymous: false,
        },
      ],
      { readOnly: true },
    );
    const config = { ...CONFIG, Volumes: { '/data': {}, '/logs/': {}, '/more': {} } };
    const found = mountRequests(config, { Binds: ['/host:/more'] }, lent);
    assert.deepEqual(
      found.map(({ type, source, target, readOnly }) => [type, source, target, readOnly]),
      [
        ['bind', '/host', '/more', false],
        ['volume', 'lent', '/data', true],
        ['volume', '', '/logs', false],
      ],
    );
  });

  it('of the long form are checked', () => {
    const of = (mount: object) => () => mountRequests(CONFIG, { Mounts: [mount as never] });
    assert.throws(of({ Type: 'npipe', Target: '/x' }), /mount type unknown: "npipe"/);
    assert.throws(of({ Type: 'bind', Target: '/x' }), /field Source must not be empty/);
    assert.throws(of({ Type: 'tmpfs', Source: 'a', Target: '/x' }), /Source must not be specified/);
    assert.throws(of({ Type: 'volume', Target: 'x' }), /mount path must be absolute/);
  });
});

describe('networks and ports', () => {
  it('begin with the one of the network mode', () => {
    assert.deepEqual(requestedNetworks({}, {}), { bridge: {} });
    assert.deepEqual(requestedNetworks({ NetworkMode: 'default' }, { default: null }), {
      bridge: {},
    });
    assert.deepEqual(requestedNetworks({ NetworkMode: 'a' }, { a: { Aliases: ['x'] }, b: null }), {
      a: { Aliases: ['x'] },
      b: {},
    });
    assert.deepEqual(requestedNetworks({ NetworkMode: 'host' }, { host: null }), {});
    assert.throws(() => requestedNetworks({ NetworkMode: 'container:x' }, {}), {
      code: 'SWM_NOT_IMPLEMENTED',
    });
  });

  it('are published as asked', () => {
    const config = { ...CONFIG, ExposedPorts: { '80/tcp': {}, '81/tcp': {} } };
    const host = {
      PublishAllPorts: true,
      PortBindings: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '53/udp': null },
    };
    assert.deepEqual(portBindings(config, host), [
      { protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' },
      { protocol: 'udp', containerPort: 53, hostPort: 0, hostIp: '' },
      { protocol: 'tcp', containerPort: 81, hostPort: 0, hostIp: '' },
    ]);
    assert.throws(
      () => portBindings(CONFIG, { PortBindings: { '99999/tcp': null } }),
      /invalid port/,
    );
  });
});

describe('validation', () => {
  const refuse = (host: HostConfig, message: RegExp) =>
    assert.throws(() => validate(CONFIG, host, { cpus: 2 }), message);

  it('uses Docker’s words', () => {
    refuse({ Memory: 1024 }, /Minimum memory limit allowed is 6MB/);
    refuse({ NanoCpus: 3e9 }, /range of CPUs is from 0\.01 to 2\.00, as there are only 2 CPUs/);
    refuse({ RestartPolicy: { Name: 'often' } }, /invalid restart policy: unknown policy 'often'/);
    refuse(
      { AutoRemove: true, RestartPolicy: { Name: 'always' } },
      /can't create 'AutoRemove' container with restart policy/,
    );
    refuse({ LogConfig: { Type: 'fluentd' } }, /no log driver named 'fluentd' is registered/);
    refuse({ Ulimits: [{ Name: 'nofile', Soft: 9, Hard: 5 }] }, /ulimit soft limit/);
    refuse({ PidMode: 'container:x' }, /PID namespace is not supported/);
    validate(CONFIG, { Memory: 64 * 2 ** 20, NanoCpus: 2e9 }, { cpus: 2 });
  });

  it('reads the size of logs', () => {
    const of = (Config: Record<string, string>) => logSettings({ LogConfig: { Config } });
    assert.deepEqual(of({ 'max-size': '10m', 'max-file': '2' }), {
      maxBytes: 10 * 2 ** 20,
      maxFiles: 2,
    });
    assert.equal(of({ 'max-size': '-1' })?.maxBytes, Number.POSITIVE_INFINITY);
    assert.equal(logSettings({ LogConfig: { Type: 'none' } }), undefined);
    assert.throws(() => of({ 'max-size': 'big' }), /invalid max-size/);
    assert.throws(() => of({ 'max-file': '0' }), /invalid max-file/);
  });
});

describe('names', () => {
  it('are made up until one is free', () => {
    const random = { float: () => 0, bytes: (size: number) => new Uint8Array(size) };
    assert.equal(
      generateName(random, () => false),
      'amber_acorn',
    );
    assert.equal(
      generateName(random, (name) => name === 'amber_acorn'),
      'amber_acorn0',
    );
  });

  it('are checked', () => {
    checkName('web.1-x_y');
    for (const bad of ['', 'a', '-a', 'a b', '/a']) {
      assert.throws(() => checkName(bad), /only \[a-zA-Z0-9\]/);
    }
  });
});
