import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../common/clock.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { Runtime } from '../../../worker/runtime/runtime.ts';
import { onEnd, tempDir } from '../../support/cleanup.ts';

test('a containerd that is not there is named by its socket', async (t) => {
  const dir = await tempDir(t);
  const containerdAddress = join(dir, 'none.sock');
  const runtime = new Runtime(
    { clock: systemClock, random: systemRandom, logger: silentLogger },
    { stateDir: dir, runDir: dir, containerdAddress },
  );
  onEnd(t, () => runtime.stop());
  await assert.rejects(runtime.start(), {
    code: 'SWM_UNAVAILABLE',
    message: `containerd does not answer: No connection to ${containerdAddress}: there is no such socket`,
    hint: 'Start it, or leave --containerd out: then swarmd starts one of its own.',
  });
});
