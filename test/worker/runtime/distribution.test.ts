import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Puller, type PullerComponents } from '../../../worker/runtime/image/pull.ts';
import { parseReference } from '../../../worker/runtime/image/reference.ts';
import { eventually } from '../../support/eventually.ts';
import { deafServer } from '../../support/loopback.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

test('a registry that does not answer is asked for 15 s what it has', async (t) => {
  const clock = new VirtualClock();
  let asked = 0;
  const registry = await deafServer(t, () => asked++);
  // It needs no other before the registry has answered.
  const parts: Partial<PullerComponents> = { clock };
  const puller = new Puller(parts as PullerComponents, { insecureRegistries: [] });
  const refused = assert.rejects(puller.distribution(parseReference(`${registry}/team/app`)), {
    code: 'SWM_TIMEOUT',
    message: `${registry} did not describe ${registry}/team/app:latest within 15 s`,
  });
  await eventually(() => assert.equal(asked, 1));
  await clock.advance(14_999);
  assert.equal(clock.pending, 1);
  await clock.advance(1);
  await refused;
  assert.equal(clock.pending, 0);
});
