import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { decodeAuth, ImagePuller } from '../../../worker/agent/container/image-puller.ts';
import type { ImagesApi } from '../../../worker/engine/types.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { FakeEngine } from './fake-engine.ts';

const signal = new AbortController().signal;

function setUp(change: (images: ImagesApi) => ImagesApi = (images) => images) {
  const engine = new FakeEngine();
  const clock = new VirtualClock();
  const images = change(engine.api().images);
  return { engine, clock, puller: new ImagePuller({ images, clock, logger: silentLogger }) };
}

test('tasks that want the same image at the same time share one pull', async () => {
  const { engine, puller } = setUp();
  await Promise.all([1, 2, 3].map(() => puller.ensure('app', '', signal)));
  assert.deepEqual(engine.pulls, ['app']);
});

test('a tag that moved is pulled again, one that did not is not', async () => {
  const { engine, puller } = setUp();
  engine.images = {
    same: { local: true, digests: { local: 'sha256:a', remote: 'sha256:a' } },
    moved: { local: true, digests: { local: 'sha256:a', remote: 'sha256:b' } },
    'pinned@sha256:c': { local: true, digests: { local: 'sha256:c', remote: 'sha256:d' } },
  };
  for (const image of Object.keys(engine.images)) await puller.ensure(image, '', signal);
  assert.deepEqual(engine.pulls, ['moved']);
});

test('an image that is here does not wait for a registry that does not answer', async () => {
  const silent = new Promise<never>(() => undefined);
  const { engine, puller, clock } = setUp((images) => ({ ...images, distribution: () => silent }));
  engine.images = { app: { local: true } };
  const done = puller.ensure('app', '', signal);
  await clock.advance(5_000);
  await done;
  await puller.ensure('app', '', signal);
  assert.deepEqual(engine.pulls, [], 'and the next task does not wait at all');
});

test('what the registry said is what the task fails with', async () => {
  const { engine, puller } = setUp();
  const pullError = new SwarmError('SWM_UNAUTHENTICATED', 'unauthorized: login first');
  engine.images = { secret: { pullError } };
  await assert.rejects(puller.ensure('secret', '', signal), /unauthorized: login first/);
});

test('credentials come as the header has them', () => {
  const auth = { username: 'me', password: 'ä?>' };
  const header = Buffer.from(JSON.stringify(auth)).toString('base64url');
  assert.deepEqual(decodeAuth(header), auth);
  assert.equal(decodeAuth(''), undefined);
  assert.equal(decodeAuth('%%%'), undefined);
});
