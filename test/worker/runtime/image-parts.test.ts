import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parseChallenge } from '../../../worker/runtime/image/auth.ts';
import { applyChanges } from '../../../worker/runtime/image/changes.ts';
import { decompressed, formatOf } from '../../../worker/runtime/image/compression.ts';
import { parsePlatform, selectManifest } from '../../../worker/runtime/image/platform.ts';
import {
  humanSize,
  LayerProgress,
  progressBar,
} from '../../../worker/runtime/image/pull-progress.ts';
import { SharedWork } from '../../../worker/runtime/image/shared-work.ts';
import { chainIds } from '../../../worker/runtime/image/unpack.ts';
import { Limit } from '../../../worker/runtime/limit.ts';

describe('the instructions of import --change', () => {
  it('become the configuration of the image', () => {
    const config = applyChanges([
      'CMD ["a", "b"]',
      'ENTRYPOINT echo x',
      'ENV A=1 B="two words"',
      'ENV C three words',
      'EXPOSE 80 53/udp',
      'LABEL k=v',
      'USER app:app',
      'VOLUME ["/a", "/b"]',
      'workdir /srv',
      'STOPSIGNAL SIGQUIT',
    ]);
    assert.deepEqual(config, {
      Cmd: ['a', 'b'],
      Entrypoint: ['/bin/sh', '-c', 'echo x'],
      Env: ['A=1', 'B=two words', 'C=three words'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Labels: { k: 'v' },
      User: 'app:app',
      Volumes: { '/a': {}, '/b': {} },
      WorkingDir: '/srv',
      StopSignal: 'SIGQUIT',
    });
  });

  it('are refused when nobody knows them', () => {
    assert.throws(() => applyChanges(['COPY a b']), /COPY is not a valid change command/);
  });
});

describe('platforms', () => {
  const host = { os: 'linux', architecture: 'amd64' };
  const entry = (architecture: string, variant?: string) => ({
    mediaType: '',
    digest: `${architecture}${variant ?? ''}`,
    size: 0,
    platform: { os: 'linux', architecture, ...(variant ? { variant } : {}) },
  });

  it('are read with the host’s parts where something is missing', () => {
    assert.deepEqual(parsePlatform('linux', host), host);
    assert.deepEqual(parsePlatform('linux/arm/v7', host), {
      os: 'linux',
      architecture: 'arm',
      variant: 'v7',
    });
    assert.equal(parsePlatform('linux/x86_64', host).architecture, 'amd64');
    assert.throws(() => parsePlatform('a/b/c/d', host), /invalid platform/);
  });

  it('choose the manifest', () => {
    const list = [entry('arm', 'v6'), entry('arm', 'v7'), entry('arm64', 'v8'), entry('amd64')];
    assert.equal(selectManifest(list, host)?.digest, 'amd64');
    const arm = { os: 'linux', architecture: 'arm' };
    assert.equal(selectManifest(list, { ...arm, variant: 'v7' })?.digest, 'armv7');
    assert.equal(selectManifest(list, { ...arm, variant: 'v5' }), undefined);
    assert.equal(selectManifest(list, { os: 'linux', architecture: 'arm64' })?.digest, 'arm64v8');
    assert.equal(selectManifest(list, { os: 'linux', architecture: 's390x' }), undefined);
  });
});

describe('progress', () => {
  it('is drawn as Docker draws it', () => {
    assert.equal(progressBar(0, 100), `[>${' '.repeat(49)}]      0B/100B`);
    assert.equal(progressBar(50, 100), `[${'='.repeat(25)}>${' '.repeat(24)}]     50B/100B`);
    assert.equal(progressBar(100, 100), `[${'='.repeat(50)}]    100B/100B`);
    assert.equal(humanSize(2_043_904), '2.044MB');
  });

  it('is told ten times a second at most', () => {
    let now = 0;
    const told: unknown[] = [];
    const layer = new LayerProgress(
      { progress: (message) => told.push(message), now: () => now },
      { digest: `sha256:${'c'.repeat(64)}`, total: 1000 },
    );
    for (; now < 1000; now += 10) layer.downloading(now);
    assert.equal(told.length, 10);
    assert.deepEqual(told[1], {
      id: 'cccccccccccc',
      status: 'Downloading',
      progressDetail: { current: 100, total: 1000 },
      progress: progressBar(100, 1000),
    });
  });
});

describe('compression', () => {
  it('is known by its first bytes', () => {
    assert.equal(formatOf(gzipSync('x')), 'gzip');
    assert.equal(formatOf(Buffer.of(0x28, 0xb5, 0x2f, 0xfd)), 'zstd');
    assert.equal(formatOf(Buffer.from('any text')), 'tar');
    assert.equal(formatOf(Buffer.alloc(0)), 'tar');
  });

  it('is taken off, whatever the pieces in which it comes', async () => {
    const whole = gzipSync('what was packed');
    async function* pieces() {
      for (const byte of whole) yield Buffer.of(byte);
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of await decompressed(pieces())) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), 'what was packed');
    async function* xz() {
      yield Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x00);
    }
    await assert.rejects(decompressed(xz()), /compressed with xz are not read/);
  });
});

describe('a registry’s challenge', () => {
  it('is read', () => {
    assert.deepEqual(
      parseChallenge('Bearer realm="https://a/token",service="reg",scope="repository:x:pull"'),
      {
        scheme: 'bearer',
        parameters: { realm: 'https://a/token', service: 'reg', scope: 'repository:x:pull' },
      },
    );
    assert.deepEqual(parseChallenge('Basic realm=plain'), {
      scheme: 'basic',
      parameters: { realm: 'plain' },
    });
    assert.equal(parseChallenge('Negotiate'), undefined);
    assert.equal(parseChallenge(''), undefined);
  });
});

describe('chain ids', () => {
  it('follow the OCI specification', () => {
    assert.deepEqual(chainIds([]), []);
    assert.deepEqual(chainIds(['sha256:a']), ['sha256:a']);
    assert.deepEqual(chainIds(['sha256:a', 'sha256:b']), [
      'sha256:a',
      'sha256:970a948bffa8de94d6e22d747ba8c95030e6e546909f98f54e99a13005e173a8',
    ]);
  });
});

describe('shared work', () => {
  it('is done once, and told to all', async () => {
    const shared = new SharedWork<string, number>({ replayed: (message) => message !== 'detail' });
    let runs = 0;
    let finish = (_: number) => {};
    const work = (tell: (message: string) => void) => {
      runs++;
      tell('begin');
      tell('detail');
      return new Promise<number>((resolve) => {
        finish = resolve;
      });
    };
    const first: string[] = [];
    const late: string[] = [];
    const one = shared.join('key', work, { listener: (message) => first.push(message) });
    await Promise.resolve();
    const two = shared.join('key', work, { listener: (message) => late.push(message) });
    finish(42);
    assert.deepEqual(await Promise.all([one, two]), [42, 42]);
    assert.equal(runs, 1);
    assert.deepEqual(first, ['begin', 'detail']);
    assert.deepEqual(late, ['begin']);
    const again = shared.join('key', work, {});
    await Promise.resolve();
    finish(1);
    assert.equal(await again, 1);
    assert.equal(runs, 2);
  });

  it('ends early only when all have left', async () => {
    const shared = new SharedWork<string, void>({ replayed: () => true });
    let signal: AbortSignal | undefined;
    const work = (_tell: unknown, given: AbortSignal) => {
      signal = given;
      return new Promise<void>((_, reject) => {
        given.addEventListener('abort', () => reject(given.reason));
      });
    };
    const [a, b] = [new AbortController(), new AbortController()];
    const one = shared.join('key', work, { signal: a.signal });
    const two = shared.join('key', work, { signal: b.signal });
    await Promise.resolve();
    a.abort(new Error('gone'));
    await assert.rejects(one, /gone/);
    assert.equal(signal?.aborted, false);
    b.abort(new Error('gone too'));
    await assert.rejects(two, /gone too/);
    assert.equal(signal?.aborted, true);
  });
});

describe('a limit', () => {
  it('lets so many run and no more', async () => {
    const limit = new Limit(2);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      [0, 1, 2, 3, 4].map((index) =>
        limit.run(async () => {
          most = Math.max(most, ++running);
          await Promise.resolve();
          order.push(index);
          running--;
        }),
      ),
    );
    assert.equal(most, 2);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });
});
