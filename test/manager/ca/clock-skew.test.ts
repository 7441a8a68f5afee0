import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../../common/clock.ts';
import {
  formatDifference,
  requireValid,
  SKEW_WARNING_MS,
  skewWarning,
} from '../../../manager/ca/clock-skew.ts';
import { peerCertificate } from '../../../manager/ca/peer-certificate.ts';
import { SecurityConfig } from '../../../manager/ca/security-config.ts';
import { NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { tempDir } from '../../support/cleanup.ts';
import { deafServer, freeAddr } from '../../support/loopback.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { type CaCluster, components, startCaCluster } from './fixture.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test('differences are told in two units', () => {
  const cases: [number, string][] = [
    [0, '0 s'],
    [40_000, '40 s'],
    [5 * MINUTE + 7_000, '5 min 7 s'],
    [-2 * HOUR, '2 h'],
    [2 * HOUR + 5 * MINUTE + 7_000, '2 h 5 min'],
    [DAY + 30 * MINUTE, '1 day'],
    [3 * DAY + 4 * HOUR, '3 days 4 h'],
  ];
  for (const [ms, text] of cases) assert.equal(formatDifference(ms), text);
});

test('a small difference is passed over, a larger one is named with its direction', () => {
  const clocks = (skew: number) => ({ ours: 1e12 + skew, theirs: 1e12, remote: 'm:2377' });
  assert.equal(skewWarning(clocks(SKEW_WARNING_MS - 1)), undefined);
  assert.match(skewWarning(clocks(5 * MINUTE)) ?? '', /5 min ahead of that of the manager at m:/);
  assert.match(skewWarning(clocks(-5 * MINUTE)) ?? '', /5 min behind that of the manager at m:/);
});

test('what is not valid yet, or no more, is told with all times and what to do', () => {
  const at = (text: string) => Date.parse(text);
  const validity = { notBefore: at('2026-05-01T10:00:00Z'), notAfter: at('2026-08-01T10:00:00Z') };
  const clocks = (ours: string) => ({
    ours: at(ours),
    theirs: at('2026-05-03T00:00:00Z'),
    remote: '10.0.0.1:2377',
  });
  const check = (ours: string) => () => requireValid('the certificate', validity, clocks(ours));
  check('2026-05-01T10:00:00Z')();
  assert.throws(check('2026-05-01T07:55:00Z'), {
    code: 'SWM_FAILED_PRECONDITION',
    message:
      'the certificate is valid from 2026-05-01T10:00:00Z until 2026-08-01T10:00:00Z, and the clock of this machine says 2026-05-01T07:55:00Z: 2 h 5 min too early. It is 1 day 16 h behind that of the manager at 10.0.0.1:2377, which says 2026-05-03T00:00:00Z',
    hint: /Set the clocks of both machines/,
  });
  assert.throws(check('2026-08-03T10:00:00Z'), {
    message: /: 2 days too late\. It is 92 days 10 h ahead of that of the manager/,
  });
});

function shifted(ms: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + ms };
}

async function joinWith(t: TestContext, cluster: CaCluster, clock: Clock, warnings: string[] = []) {
  const warn = (_details: object, text: string) => void warnings.push(text);
  const logger = Object.assign(Object.create(components.logger), { warn });
  return SecurityConfig.join(
    { ...components, logger, clock, remotes: () => [cluster.addr] },
    {
      stateDir: await tempDir(t),
      remotes: [cluster.addr],
      token: cluster.tokens.worker,
      availability: NodeSpec_Availability.ACTIVE,
    },
  );
}

const nodes = ({ store }: CaCluster) => store.view((tx) => tx.count('node'));

test('a machine whose clock is some minutes off joins, and is warned', async (t) => {
  const cluster = await startCaCluster(t);
  const warnings: string[] = [];
  await joinWith(t, cluster, shifted(-10 * MINUTE), warnings);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /(10 min|9 min 59 s)( 0 s)? behind that of the manager/);
  warnings.length = 0;
  await joinWith(t, cluster, shifted(MINUTE), warnings);
  assert.deepEqual(warnings, []);
});

test('a clock far in the past is told before anything is asked for', async (t) => {
  const cluster = await startCaCluster(t);
  await assert.rejects(joinWith(t, cluster, shifted(-3 * HOUR)), {
    code: 'SWM_FAILED_PRECONDITION',
    message:
      /^the root CA certificate of the swarm is valid from .* until .*, and the clock of this machine says .*: (2 h|1 h 59 min) too early\. It is (3 h|2 h 59 min) behind that of the manager at 127/,
  });
  assert.equal(nodes(cluster), 1, 'no node was made for it');
});

test('so is one far in the future, by which the manager has expired', async (t) => {
  const cluster = await startCaCluster(t);
  await assert.rejects(joinWith(t, cluster, shifted(100 * DAY)), {
    code: 'SWM_FAILED_PRECONDITION',
    message: /^the certificate of the manager at 127.* days .*too late\. It is (100|99) days/,
  });
  assert.equal(nodes(cluster), 1);
});

test('a certificate that would not be valid here is not asked for', async (t) => {
  // The manager's clock has moved on since root and manager got theirs.
  const cluster = await startCaCluster(t, shifted(5 * HOUR));
  await assert.rejects(joinWith(t, cluster, systemClock), {
    code: 'SWM_FAILED_PRECONDITION',
    message:
      /^the certificate that this machine would get is valid from .*: (4 h|3 h 59 min) too early/,
  });
  assert.equal(nodes(cluster), 1);
});

test('the certificate of a server that does not answer is not waited for', async (t) => {
  const clock = new VirtualClock();
  const nobody = await freeAddr();
  await assert.rejects(peerCertificate(clock, nobody, 'swarm-manager'), {
    code: 'SWM_UNAVAILABLE',
    message: new RegExp(`^no TLS with ${nobody}: connect ECONNREFUSED`),
  });
  const deaf = await deafServer(t);
  const silence = assert.rejects(peerCertificate(clock, deaf, 'swarm-manager'), {
    code: 'SWM_UNAVAILABLE',
    message: `no TLS with ${deaf}: no answer within 5 s`,
  });
  await clock.advance(4_999);
  assert.equal(clock.pending, 1);
  await clock.advance(1);
  await silence;
});
